// Adam, and what is small.

#pragma once

#include "vectors.h"

extern "C" {

// One step of Adam on `count` parameters (Kingma and Ba, 2015): their values, gradients, means and
// means of squares. A parameter whose gradient is null is left alone. `steps` counts the steps.
void aiec_adam(float *const *values, const float *const *gradients, float *const *means,
               float *const *squares, const int64_t *sizes, int64_t count, double lr,
               double decay, double decay_of_squares, double eps, double penalty,
               int64_t *steps) {
    const int64_t step = ++*steps;
    const float rate = lr / (1 - pow(decay, step));
    const float root = sqrt(1 - pow(decay_of_squares, step));
    const float fresh = 1 - decay, keep = decay_of_squares, fresh2 = 1 - decay_of_squares;
    const float tiny = eps, shrink = penalty;
    for (int64_t i = 0; i < count; i++) {
        float *p = values[i], *m = means[i], *v = squares[i];
        const float *g = gradients[i];
        if (!g) continue;
#pragma GCC ivdep
        for (int64_t j = 0; j < sizes[i]; j++) {
            const float slope = g[j] + shrink * p[j];
            m[j] += (slope - m[j]) * fresh;
            v[j] = v[j] * keep + slope * slope * fresh2;
            p[j] -= rate * m[j] / (sqrtf(v[j]) / root + tiny);
        }
    }
}

// n numbers times a factor.
void aiec_scaled(const float *x, int64_t n, float factor, float *out) {
    for (int64_t i = 0; i < n; i++) out[i] = x[i] * factor;
}

// The least and the greatest of n > 0 numbers.
void aiec_range(const int64_t *y, int64_t n, int64_t *both) {
    int64_t low = y[0], high = y[0];
    for (int64_t i = 1; i < n; i++) {
        low = y[i] < low ? y[i] : low;
        high = y[i] > high ? y[i] : high;
    }
    both[0] = low, both[1] = high;
}

}
