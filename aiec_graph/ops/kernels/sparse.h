// Products with a sparse matrix.

#pragma once

#include "blocked.h"

constexpr int64_t PARTS = 64;  // of a sparse matrix, which threads take as they get to them

// Row boundaries that give each part about as many entries.
static int64_t boundary(const int32_t *crow, int64_t rows, int64_t part) {
    if (part >= PARTS) return rows;
    const int64_t wanted = (crow[rows] + rows) * part / PARTS;
    int64_t low = 0, high = rows;
    while (low < high) {
        const int64_t mid = (low + high) / 2;
        if (crow[mid] + mid < wanted)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

// Sums over each row's columns below `limit`, which come in ascending order where it matters.
template <int WIDTH>
static void sums(const int32_t *crow, const int32_t *column, const float *value, int64_t rows,
                 int32_t limit, const float *x, float *out, int64_t columns, int64_t left) {
#pragma omp parallel for schedule(dynamic) if (crow[rows] * columns > FEW)
    for (int64_t part = 0; part < PARTS; part++) {
        const int64_t last = boundary(crow, rows, part + 1);
        for (int64_t i = boundary(crow, rows, part); i < last; i++) {
            vec sum[WIDTH] = {};
            for (int64_t e = crow[i]; e < crow[i + 1]; e++) {
                const int64_t j = column[e];
                if (j >= limit) continue;
#pragma GCC unroll 2
                for (int v = 0; v < WIDTH; v++)
                    sum[v] += value[e] * load(x + (j * WIDTH + v) * LANES);
            }
#pragma GCC unroll 2
            for (int v = 0; v < WIDTH; v++)
                store_some(out + i * columns + v * LANES, sum[v], left - v * LANES);
        }
    }
}

extern "C" {

// A · x for A in CSR [rows, sources], x [sources, columns].
void aiec_sums(const int32_t *crow, const int32_t *column, const float *value, int64_t rows,
               int64_t sources, const float *x, int64_t columns, float *out) {
    const int32_t limit = trimmed(x, sources, columns);
    const Blocked blocked(x, sources, columns, BLOCK, false);
    for (int64_t c = 0; c < columns; c += BLOCK) {
        const auto run = blocked.width(c) == BLOCK ? sums<WIDE> : sums<1>;
        run(crow, column, value, rows, limit, blocked.block(c), out + c, columns, columns - c);
    }
}

}
