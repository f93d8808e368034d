/* What an op's room tells the library: its arguments with lettered shapes as in schema.py, its attributes, its kernel. */
#ifndef EDGEPDE_ORT_ROOM_H
#define EDGEPDE_ORT_ROOM_H

#include "ort_abi.h"

#define EP_ORT_MOST_ARGUMENTS 12
#define EP_ORT_MOST_ATTRIBUTES 8
#define EP_ORT_MOST_RANK 8
#define EP_ORT_MOST_NUMBERS 8
#define EP_ORT_ANY_RANK "*"

/* Types that differ between nodes, the same for all of its arguments of this letter: T float32 or float64, H that or
 * float16. A room with them is offered once for each combination. */
enum { EP_ORT_T = -1, EP_ORT_H = -2 };

typedef struct {
    const char *name;
    int type;          /* ORT_FLOAT64, ..., EP_ORT_T, EP_ORT_H */
    const char *shape; /* one capital letter per axis; EP_ORT_ANY_RANK */
} ep_ort_argument;

typedef struct {
    const char *name;
    int whole;        /* 2: integers, 1: an integer, 0: a float */
    double otherwise; /* the value where a node has none; EP_ORT_REQUIRED: it must have one */
    char size;        /* the letter of a size that it is, of outputs alone; 0: none */
} ep_ort_attribute;

#define EP_ORT_REQUIRED (-1e300)
#define EP_ORT_MOST_SIZE 268435456

typedef struct {
    const void *inputs[EP_ORT_MOST_ARGUMENTS];
    void *outputs[EP_ORT_MOST_ARGUMENTS];
    size_t size[26]; /* by letter: see EP_ORT_SIZE */
    int t, h;        /* what EP_ORT_T and EP_ORT_H are */
    const double *numbers;
    const int64_t *integers; /* attributes by position, in the array of their kind */
    const int64_t (*lists)[EP_ORT_MOST_NUMBERS];
    const size_t *counts;    /* of lists */
    size_t rank[EP_ORT_MOST_ARGUMENTS];
    int64_t sizes[EP_ORT_MOST_ARGUMENTS][EP_ORT_MOST_RANK]; /* of inputs */
} ep_ort_call;

#define EP_ORT_SIZE(call, letter) ((call)->size[(letter) - 'A'])

typedef struct {
    const char *name;
    size_t input_count, output_count, attribute_count;
    const ep_ort_argument *inputs, *outputs;
    const ep_ort_attribute *attributes;
    const char *(*compute)(const ep_ort_call *call); /* what is wrong, or NULL */
    /* The sizes of an output of any rank, NULL where there is none; what is wrong with the inputs, or NULL. */
    const char *(*shape)(const ep_ort_call *call, int64_t *sizes, size_t *rank);
} ep_ort_room;

/* The name a room's description has in the build for one instruction set. */
#define EP_ORT_JOIN(name, isa) ep_ort_##name##_##isa
#define EP_ORT_NAMED(name, isa) EP_ORT_JOIN(name, isa)
#define EP_ORT_ROOM(name) \
    extern const ep_ort_room EP_ORT_NAMED(name, EDGEPDE_ISA); \
    const ep_ort_room EP_ORT_NAMED(name, EDGEPDE_ISA)

#define EP_ORT_COUNT(array) (sizeof(array) / sizeof(array)[0])

#endif
