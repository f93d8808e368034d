/* A room seen as a custom op. */
#ifndef EDGEPDE_ORT_SHIM_H
#define EDGEPDE_ORT_SHIM_H

#include "ort_room.h"

typedef struct {
    OrtCustomOp op; /* first: ONNX Runtime knows the whole by its address */
    const ep_ort_room *room;
} ep_ort_op;

ep_ort_op ep_ort_op_of(const ep_ort_room *room);

#endif
