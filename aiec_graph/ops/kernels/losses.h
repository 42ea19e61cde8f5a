// Exponential and logarithm on vectors, and the cross-entropy.

#pragma once

#include "vectors.h"

// e^x for x ≤ 0, to about one unit in the last place; 0 below −87. A NaN stays.
static inline vec exponential(vec x) {
    const vec low = x < -87.0f ? vec{} - 87.0f : x;
    const float magic = 12582912.0f;  // 1.5 · 2^23: what is added to it is rounded to an integer
    const vec n = (low * 1.44269504f + magic) - magic;
    const vec r = (low - n * 0.693359375f) + n * 2.12194440e-4f;
    vec p = r * 1.9875691500e-4f + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    const ivec bits = (__builtin_convertvector(n, ivec) + 127) << 23;
    vec scale;
    memcpy(&scale, &bits, sizeof scale);
    return x < -87.0f ? vec{} : p * scale;
}

// ln x for normal x ≥ 1. A NaN stays.
static inline vec logarithm(vec x) {
    ivec bits;
    memcpy(&bits, &x, sizeof bits);
    // The exponent such that what is left lies between √½ and √2.
    const ivec exponent = (bits - 0x3f3504f3) >> 23;
    bits -= exponent << 23;
    vec m;
    memcpy(&m, &bits, sizeof m);
    const vec f = (m - 1.0f) / (m + 1.0f), s = f * f;
    const vec series = (((s / 9.0f + 1.0f / 7) * s + 0.2f) * s + 1.0f / 3) * s;
    const vec out = 2.0f * f + 2.0f * f * series;
    return x != x ? x : out + __builtin_convertvector(exponent, vec) * 0.693147181f;
}

// What the cross-entropy of some samples adds up to.
struct Sums {
    double loss, mass;
};

// `cross_entropy` of two classes and as many samples as there are lanes; adds to the sums.
static void two_classes(float *z, const int64_t *y, const float *weight, vec &loss, vec &mass) {
    float lanes[LANES], second[LANES];
    for (int64_t l = 0; l < LANES; l++) {
        lanes[l] = z[2 * l + 1] - z[2 * l];
        second[l] = y[l];
    }
    const vec d = load(lanes), is_second = load(second), one = vec{} + 1.0f;
    const vec w = !weight ? one : is_second > 0 ? vec{} + weight[1] : vec{} + weight[0];
    const vec far = d < 0 ? -d : d, small = exponential(-far), sum = one + small;
    const vec p = (d < 0 ? small : one) / sum;  // of the second class
    const vec lead = is_second > 0 ? d : -d;    // of the right one
    loss += w * (logarithm(sum) - (lead < 0 ? lead : vec{}));
    mass += w;
    store(lanes, w * (p - is_second));
    for (int64_t l = 0; l < LANES; l++) z[2 * l] = -lanes[l], z[2 * l + 1] = lanes[l];
}

// Turns logits [rows, classes] into what a sample's loss changes by with its logits, times its
// weight: weight[y] · (softmax − one-hot). Returns the summed weighted loss and weight.
static Sums cross_entropy(float *z, const int64_t *y, const float *weight, int64_t rows,
                          int64_t classes) {
    Sums sums = {0, 0};
    int64_t i = 0;
    if (classes == 2) {
        vec loss = {}, mass = {};
        for (; i + LANES <= rows; i += LANES) two_classes(z + 2 * i, y + i, weight, loss, mass);
        sums = {total<LANES>((const float *)&loss), total<LANES>((const float *)&mass)};
    }
    vec *at = scratch<vec>(classes);
    for (; i < rows; i += LANES) {
        const int64_t n = least(LANES, rows - i);
        // Samples lie across the lanes; filled and read as plain numbers.
        float lanes[LANES] = {}, own[LANES] = {}, weights[LANES] = {};
        vec top = {};
        for (int64_t k = 0; k < classes; k++) {
            for (int64_t l = 0; l < n; l++) lanes[l] = z[(i + l) * classes + k];
            at[k] = load(lanes);
            top = k == 0 ? at[k] : (at[k] > top ? at[k] : top);
        }
        for (int64_t l = 0; l < n; l++) {
            own[l] = z[(i + l) * classes + y[i + l]];
            weights[l] = weight ? weight[y[i + l]] : 1.0f;
        }
        vec sum = {};
        for (int64_t k = 0; k < classes; k++) sum += at[k] = exponential(at[k] - top);
        const vec w = load(weights), loss = w * (logarithm(sum) - (load(own) - top));
        for (int64_t k = 0; k < classes; k++) {
            store(lanes, at[k] / sum * w);
            for (int64_t l = 0; l < n; l++)
                z[(i + l) * classes + k] = lanes[l] - (y[i + l] == k ? weights[l] : 0);
        }
        store(lanes, loss);
        for (int64_t l = 0; l < n; l++) sums.loss += lanes[l], sums.mass += weights[l];
    }
    free(at);
    return sums;
}

extern "C" {

// The gradient of the summed weighted loss by the logits [rows, classes]. sums: that loss, and the
// summed weight.
void aiec_cross_entropy(const float *logits, const int64_t *y, const float *weight, int64_t rows,
                        int64_t classes, float *gradient, double *sums) {
    const int64_t slabs = slabs_of(rows);
    Sums *parts = scratch<Sums>(slabs);
    by_slabs(rows, rows * classes > FEW / 4, [&](int64_t s, int64_t first, int64_t end) {
        const int64_t n = end - first;
        float *z = gradient + first * classes;
        memcpy(z, logits + first * classes, n * classes * sizeof(float));
        parts[s] = cross_entropy(z, y + first, weight, n, classes);
    });
    sums[0] = sums[1] = 0;
    for (int64_t s = 0; s < slabs; s++) sums[0] += parts[s].loss, sums[1] += parts[s].mass;
    free(parts);
}

}
