#include "CKernels.h"

#include <math.h>
#include <string.h>

// Multiply, then add: two roundings, on every machine.
#pragma STDC FP_CONTRACT OFF

double crescendo_exp(double x) { return exp(x); }

double crescendo_log1p(double x) { return log1p(x); }

enum { LANES = 16 };

// Lanes fold 8, 4, 2, 1: lane j += lane j + width.
static float fold(float *lanes) {
  for (int width = LANES / 2; width > 0; width /= 2)
    for (int lane = 0; lane < width; lane++) lanes[lane] += lanes[lane + width];
  return lanes[0];
}

static float load_f32(const uint8_t *bytes, size_t index) {
  float value;
  memcpy(&value, bytes + 4 * index, 4);
  return value;
}

float crescendo_widen_f16(uint16_t half) {
  const uint32_t sign = (uint32_t)(half & 0x8000) << 16;
  const uint32_t exponent = (half >> 10) & 31;
  const uint32_t fraction = half & 0x3FF;
  uint32_t bits;
  if (exponent == 31) {
    bits = sign | 0x7F800000 | fraction << 13;
  } else if (exponent != 0) {
    bits = sign | (exponent + 112) << 23 | fraction << 13;
  } else {
    // Zero or a denormal: fraction × 2⁻²⁴, exact in float.
    const float magnitude = (float)fraction * 0x1p-24f;
    memcpy(&bits, &magnitude, 4);
    bits |= sign;
  }
  float value;
  memcpy(&value, &bits, 4);
  return value;
}

static float load_f16(const uint8_t *bytes, size_t index) {
  uint16_t half;
  memcpy(&half, bytes + 2 * index, 2);
  return crescendo_widen_f16(half);
}

// Lane j sums the products of elements j, j + 16, … in order; a tail is padded with +0.
#define DOT(LOAD)                                                        \
  float lanes[LANES] = {0};                                              \
  size_t whole = dimension - dimension % LANES;                          \
  for (size_t start = 0; start < whole; start += LANES)                  \
    for (int lane = 0; lane < LANES; lane++)                             \
      lanes[lane] += user[start + lane] * LOAD(item, start + lane);      \
  for (int lane = 0; whole < dimension && lane < LANES; lane++) {        \
    const size_t index = whole + (size_t)lane;                           \
    const int inside = index < dimension;                                \
    lanes[lane] += inside ? user[index] * LOAD(item, index) : 0.0f;      \
  }                                                                      \
  return fold(lanes);

float crescendo_dot_f32(const float *user, const void *item_vector, size_t dimension) {
  const uint8_t *item = item_vector;
  DOT(load_f32)
}

float crescendo_dot_f16(const float *user, const void *item_vector, size_t dimension) {
  const uint8_t *item = item_vector;
  DOT(load_f16)
}

int32_t crescendo_dot_i8(const int8_t *user, const int8_t *item, size_t dimension) {
  int32_t sum = 0;
  for (size_t index = 0; index < dimension; index++)
    sum += (int32_t)user[index] * (int32_t)item[index];
  return sum;
}
