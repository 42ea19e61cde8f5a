// The kernels of graph training for tall, narrow float32 matrices, on vectors and with OpenMP.
//
// Matrices are row-major and dense. Results do not depend on the number of threads: whatever is
// summed over rows is summed within slabs of fixed size, and these in their order.

#include "adam.h"
#include "dense.h"
#include "judge.h"
#include "maxima.h"
