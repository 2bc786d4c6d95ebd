#pragma once
// Kernels and the few libm functions of the domain, which imports no other C. Nothing here is
// compiled with contraction: a fused multiply-add would change the bits of a score.
#include <stddef.h>
#include <stdint.h>

// libm's exp and log1p of a double: the output transforms of models are defined on them.
double crescendo_exp(double x);
double crescendo_log1p(double x);

// Asks for the cache line at an address that is read soon.
static inline void crescendo_prefetch(const void *address) { __builtin_prefetch(address); }

// The float of an IEEE 754 half, exactly.
float crescendo_widen_f16(uint16_t half);

// Dot products in float32 with a fixed order, so that every machine gets the same bits: lane j of
// 16 sums the products of elements j, j + 16, … in order (the tail padded with +0), multiply then
// add; then lanes fold 8, 4, 2, 1. `item` is little-endian, at any alignment.
float crescendo_dot_f32(const float *user, const void *item, size_t dimension);
float crescendo_dot_f16(const float *user, const void *item, size_t dimension);

// The exact sum of products; at most 1,024 elements are in use, far below overflow.
int32_t crescendo_dot_i8(const int8_t *user, const int8_t *item, size_t dimension);
