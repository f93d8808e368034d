/* A room seen as a custom op. */
#ifndef EDGEPDE_ORT_SHIM_H
#define EDGEPDE_ORT_SHIM_H

#include "ort_room.h"

typedef struct {
    OrtCustomOp op; /* first: ONNX Runtime knows the whole by its address */
    const ep_ort_room *room;
    int t, h;
} ep_ort_op;

/* The combinations of types a room is offered for, at most EP_ORT_MOST_VARIANTS, and the op of one of them. */
#define EP_ORT_MOST_VARIANTS 4
size_t ep_ort_variants(const ep_ort_room *room);
ep_ort_op ep_ort_op_of(const ep_ort_room *room, size_t variant);

#endif
