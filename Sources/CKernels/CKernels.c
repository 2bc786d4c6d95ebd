#include "CKernels.h"

#include <math.h>

#pragma STDC FP_CONTRACT OFF

double crescendo_exp(double x) { return exp(x); }

double crescendo_log1p(double x) { return log1p(x); }
