// What one AIEC layer makes of its samples: counts, gates and losses.

#pragma once

#include "losses.h"

constexpr int64_t PIECE = 96;  // rows of a slab that stay in the first cache

// What one AIEC layer adds up over some samples.
struct Seen {
    float *theta, *response, *by_w;  // [classes, channels]
    float *phi;                      // [classes]
};

// The logits z [rows, classes], and which rows count, also added up by class.
static void decide_many(const float *a, const int64_t *y, const float *w, int64_t rows,
                        int64_t channels, int64_t classes, bool all, float *z, float *counts,
                        float *phi) {
    for (int64_t i = 0; i < rows; i++, z += classes) {
        int64_t best = 0;
        for (int64_t k = 0; k < classes; k++) {
            z[k] = dot(a + i * channels, w + k * channels, channels);
            if (z[k] > z[best]) best = k;
        }
        counts[i] = all || best == y[i];
        phi[y[i]] += counts[i];
    }
}

// The same for two classes, without a branch.
static void decide_two(const float *a, const int64_t *y, const float *w, int64_t rows,
                       int64_t channels, bool all, float *z, float *counts, float *phi) {
    for (int64_t i = 0; i < rows; i++) {
        z[2 * i] = dot(a + i * channels, w, channels);
        z[2 * i + 1] = dot(a + i * channels, w + channels, channels);
    }
    int32_t both = 0, second = 0;
    for (int64_t i = 0; i < rows; i++) {
        const int32_t label = y[i], counted = all | ((z[2 * i + 1] > z[2 * i]) == label);
        counts[i] = counted;
        both += counted, second += counted & label;
    }
    phi[0] += both - second, phi[1] += second;
}

// Adds up, per class, the features and how often each was above 0 in rows that count; and the
// products of the features with d [rows, classes].
static void count_many(const float *a, const int64_t *y, const float *counts, const float *d,
                       int64_t rows, int64_t channels, int64_t classes, const Seen &seen) {
    for (int64_t i = 0; i < rows; i++) {
        const float *row = a + i * channels;
        float *sum = seen.response + y[i] * channels, *fired = seen.theta + y[i] * channels;
#pragma GCC ivdep
        for (int64_t c = 0; c < channels; c++) {
            sum[c] += row[c];
            fired[c] += row[c] > 0 ? counts[i] : 0;
        }
        for (int64_t k = 0; k < classes; k++) {
            float *by_w = seen.by_w + k * channels;
            const float by_logit = d[i * classes + k];
#pragma GCC ivdep
            for (int64_t c = 0; c < channels; c++) by_w[c] += by_logit * row[c];
        }
    }
}

// The same for two classes, whose sums stay in registers.
static void count_two(const float *a, const int64_t *y, const float *counts, const float *d,
                      int64_t rows, int64_t channels, const Seen &seen) {
    for (int64_t c = 0; c < channels; c += LANES) {
        const int64_t left = channels - c;
        vec sum0 = {}, sum1 = {}, fired0 = {}, fired1 = {}, by_w0 = {}, by_w1 = {};
        for (int64_t i = 0; i < rows; i++) {
            const float second = y[i], first = 1 - second;
            const float *row = a + i * channels + c;
            const vec here = load_some(row, left);
            const vec above = here > 0 ? vec{} + counts[i] : vec{};
            sum0 += first * here, sum1 += second * here;
            fired0 += first * above, fired1 += second * above;
            by_w0 += d[2 * i] * here, by_w1 += d[2 * i + 1] * here;
        }
        const vec sums[6] = {sum0, sum1, fired0, fired1, by_w0, by_w1};
        float *const to[3] = {seen.response, seen.theta, seen.by_w};
        for (int64_t j = 0; j < 6; j++)
            for (int64_t l = 0; l < least(left, LANES); l++)
                to[j / 2][j % 2 * channels + c + l] += sums[j][l];
    }
}

// One slab of `aiec_judge`; `seen` holds zeros.
static Sums judge(const float *a, const int64_t *y, const float *w, const float *class_weight,
                  int64_t rows, int64_t channels, int64_t classes, bool all, const Seen &seen,
                  float *by_logits) {
    Sums sums = {0, 0};
    for (int64_t first = 0; first < rows; first += PIECE) {
        const int64_t n = least(PIECE, rows - first);
        const float *as = a + first * channels;
        const int64_t *ys = y + first;
        float *d = by_logits + first * classes, counts[PIECE];
        if (classes == 2)
            decide_two(as, ys, w, n, channels, all, d, counts, seen.phi);
        else
            decide_many(as, ys, w, n, channels, classes, all, d, counts, seen.phi);
        const Sums some = cross_entropy(d, ys, class_weight, n, classes);
        sums.loss += some.loss, sums.mass += some.mass;
        if (classes == 2)
            count_two(as, ys, counts, d, n, channels, seen);
        else
            count_many(as, ys, counts, d, n, channels, classes, seen);
    }
    return sums;
}

extern "C" {

// One AIEC layer looks at its labelled samples a [rows, channels]: adds to the counts theta and phi,
// and gives what aiec_cross_entropy makes of a · wᵀ, the gradient of that loss by w, and what a unit
// of response costs in the gate loss [classes, channels]. sums: loss and weight as there, and the
// gate loss.
// Bit 2i + e of `table` tells whether a channel is gated whose assessments are i and e; where
// `counted` is set, a class without a counted sample gates none.
void aiec_judge(const float *a, const int64_t *y, const float *w, const float *class_weight,
                int64_t rows, int64_t channels, int64_t classes, int all, int table, int counted,
                int64_t *theta, int64_t *phi, float *by_logits, float *by_w, float *cost,
                double *sums) {
    const int64_t slabs = slabs_of(rows), matrix = classes * channels;
    const int64_t size = 3 * matrix + classes;
    Sums *losses = scratch<Sums>(slabs);
    float *parts = scratch<float>(slabs * size);
    by_slabs(rows, rows * channels > FEW, [&](int64_t s, int64_t first, int64_t end) {
        float *part = parts + s * size;
        memset(part, 0, size * sizeof(float));
        const Seen seen = {part, part + matrix, part + 2 * matrix, part + 3 * matrix};
        losses[s] = judge(a + first * channels, y + first, w, class_weight, end - first, channels,
                          classes, all, seen, by_logits + first * classes);
    });
    double *response = scratch<double>(matrix);
    for (int64_t i = 0; i < matrix; i++) response[i] = by_w[i] = 0;
    sums[0] = sums[1] = sums[2] = 0;
    for (int64_t s = 0; s < slabs; s++) {
        const float *part = parts + s * size;
        for (int64_t i = 0; i < matrix; i++) {
            theta[i] += (int64_t)part[i];
            response[i] += part[matrix + i];
            by_w[i] += part[2 * matrix + i];
        }
        for (int64_t k = 0; k < classes; k++) phi[k] += (int64_t)part[3 * matrix + k];
        sums[0] += losses[s].loss, sums[1] += losses[s].mass;
    }
    for (int64_t k = 0; k < classes; k++) {
        int64_t gated = 0;
        for (int64_t i = k * channels; i < (k + 1) * channels; i++) {
            const int bit = 2 * (2 * theta[i] <= phi[k]) + (w[i] <= 0);
            const int closed = counted && phi[k] == 0 ? 0 : table >> bit & 1;
            cost[i] = closed, gated += closed;
        }
        const float each = 1.0f / ((gated ? gated : 1) * rows);
        for (int64_t i = k * channels; i < (k + 1) * channels; i++) {
            cost[i] *= each;
            sums[2] += cost[i] * response[i];
        }
    }
    free(response);
    free(parts);
    free(losses);
}

// The loss of a task and those of `count` AIEC layers from their sums: in all, the task's, and the
// layers' mean auxiliary and gate losses.
void aiec_objective(const double *task, const double *const *layers, int64_t count,
                    double of_aux, double of_gate, float *total, float *own, float *aux,
                    float *gate) {
    double auxes = 0, gates = 0;
    for (int64_t i = 0; i < count; i++) {
        auxes += layers[i][0] / layers[i][1];
        gates += layers[i][2];
    }
    if (count) auxes /= count, gates /= count;
    *own = task[0] / task[1], *aux = auxes, *gate = gates;
    *total = task[0] / task[1] + of_aux * auxes + of_gate * gates;
}

}
