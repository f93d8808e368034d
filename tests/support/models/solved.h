/* The main of a reduced model: parameters [B, 1] to be solved for, points [M, 2], u [B, M], residual [B].
 *
 * Prints hashes of all that comes out: for all rows at once, for every problem alone, and for solving once and then
 * evaluating the field, also at one point at a time.
 */
#include "edgepde_hash.h"
#include "edgepde_inputs.h"
#include "edgepde_print.h"

#define PROBLEMS 3
#define POINTS 21

/* In the box, outside it, and where the solver finds no answer. */
static const double parameters[PROBLEMS] = {0.05, 2.0, -3.0};
static float points[POINTS * 2], u[PROBLEMS * POINTS];
static double residual[PROBLEMS], coefficients[PROBLEMS * UNKNOWNS];
static int parameter_flags[PROBLEMS], point_flags[POINTS];
/* No byte more than is asked for: an address sanitiser sees what is written behind it. */
static unsigned char scratch[SCRATCH_BYTES] __attribute__((aligned(64)));

static uint64_t hashed(int found, size_t count) {
    uint64_t hash = ep_hash_u32(EP_HASH_START, (uint32_t)found);
    hash = ep_hash_array_f32(hash, u, count);
    memset(u, 7, sizeof u);
    return hash;
}

int main(void) {
    uint64_t hash;
    int found = 0;
    for (size_t r = 0; r < POINTS; r++) ep_row_f32(r, 2, points + 2 * r);
    memset(scratch, 255, SCRATCH_BYTES);
    found = RUN(PROBLEMS, POINTS, parameters, points, u, residual, scratch);
    ep_print_line("residual", ep_hash_array_f64(EP_HASH_START, residual, PROBLEMS));
    ep_print_line("together", hashed(found, PROBLEMS * POINTS));
    ep_print_line("returned", (uint64_t)found);
    found = 0;
    for (size_t b = 0; b < PROBLEMS; b++) found |= COEFFICIENTS(1, parameters + b, coefficients + b * UNKNOWNS, residual + b, scratch);
    ep_print_line("residual_alone", ep_hash_array_f64(EP_HASH_START, residual, PROBLEMS));
    ep_print_line("coefficients", ep_hash_array_f64((uint64_t)found, coefficients, PROBLEMS * UNKNOWNS));
    found |= FIELD(PROBLEMS, POINTS, parameters, points, coefficients, u, scratch);
    ep_print_line("alone", hashed(found, PROBLEMS * POINTS));
    for (size_t b = 0; b < PROBLEMS; b++)
        for (size_t m = 0; m < POINTS; m++) found |= FIELD(1, 1, parameters + b, points + 2 * m, coefficients + b * UNKNOWNS, u + b * POINTS + m, scratch);
    ep_print_line("field_alone", hashed(found, PROBLEMS * POINTS));
    hash = ep_hash_u32(EP_HASH_START, (uint32_t)CHECK(PROBLEMS, POINTS, parameters, points, parameter_flags, point_flags));
    for (size_t b = 0; b < PROBLEMS; b++) hash = ep_hash_u32(hash, (uint32_t)parameter_flags[b]);
    for (size_t m = 0; m < POINTS; m++) hash = ep_hash_u32(hash, (uint32_t)point_flags[m]);
    ep_print_line("flags", hash);
    return 0;
}
