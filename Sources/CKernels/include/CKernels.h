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
