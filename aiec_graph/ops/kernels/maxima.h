// Maxima over the rows of a sparse matrix, and the way back to what won.

#pragma once

#include "dense.h"
#include "sparse.h"

constexpr int64_t AHEAD = 16;  // rows that are fetched before they are read
constexpr int64_t LARGE = 1 << 19;  // numbers that the second cache does not hold

// What has won so far in some columns, and where it came from.
template <int WIDTH>
struct Best {
    vec value[WIDTH];
    ivec who[WIDTH];

    inline void none() {
#pragma GCC unroll 4
        for (int v = 0; v < WIDTH; v++) value[v] = vec{}, who[v] = ivec{} - 1;
    }

    inline void start(const float *x, int32_t j) {
#pragma GCC unroll 4
        for (int v = 0; v < WIDTH; v++) value[v] = at(x, j, v), who[v] = ivec{} + j;
    }

    // The later of two equals loses; a NaN wins and stays.
    template <bool NANS>
    inline void meet(int v, vec other, ivec me) {
        if (NANS) {
            const ivec wins = (other > value[v]) | (other != other);
            value[v] = wins ? other : value[v];
            who[v] = wins ? me : who[v];
        } else {
            who[v] = other > value[v] ? me : who[v];
            value[v] = other > value[v] ? other : value[v];
        }
    }

    template <bool NANS>
    inline void meet(const float *x, int32_t j) {
        const ivec me = ivec{} + j;
#pragma GCC unroll 4
        for (int v = 0; v < WIDTH; v++) meet<NANS>(v, at(x, j, v), me);
    }

    template <bool NANS>
    inline void meet(const Best &other) {
#pragma GCC unroll 4
        for (int v = 0; v < WIDTH; v++) meet<NANS>(v, other.value[v], other.who[v]);
    }

    static inline vec at(const float *x, int64_t j, int v) {
        return load(x + (j * WIDTH + v) * LANES);
    }
};

// Those of some rows in WIDTH vectors of columns, of which `left` are there to be stored. Where
// `alive`, nobody wins with 0.
template <int WIDTH, bool NANS>
static void maxima(const int32_t *crow, const int32_t *column, int64_t rows, int64_t part,
                   const float *x, bool alive, float *out, int32_t *winner, int64_t columns,
                   int64_t left) {
    // A row is read in runs side by side: one comparison need not wait for the one before.
    constexpr int RUNS = WIDTH == 1 ? 4 : 2;
    const int64_t last = boundary(crow, rows, part + 1);
    for (int64_t i = boundary(crow, rows, part); i < last; i++) {
        const int32_t *j = column + crow[i];
        const int64_t n = crow[i + 1] - crow[i], run = n / RUNS;
        Best<WIDTH> best[RUNS];
        if (n == 0) {
            best[0].none();
        } else {
#pragma GCC unroll 4
            for (int r = 0; r < RUNS; r++) best[r].start(x, j[r * run]);
            for (int64_t e = 1; e < run; e++)
#pragma GCC unroll 4
                for (int r = 0; r < RUNS; r++) best[r].template meet<NANS>(x, j[r * run + e]);
#pragma GCC unroll 4
            for (int r = 1; r < RUNS; r++) best[0].template meet<NANS>(best[r]);
            for (int64_t e = RUNS * run; e < n; e++) best[0].template meet<NANS>(x, j[e]);
        }
#pragma GCC unroll 4
        for (int v = 0; v < WIDTH; v++) {
            ivec who = best[0].who[v];
            if (alive) who = best[0].value[v] <= 0 ? ivec{} - 1 : who;
            vec bits;
            memcpy(&bits, &who, sizeof bits);
            store_some(out + i * columns + v * LANES, best[0].value[v], left - v * LANES);
            store_some((float *)winner + i * columns + v * LANES, bits, left - v * LANES);
        }
    }
}

// How x [sources, columns] should lie. Passing over a row's entries again costs less than the third
// cache does, if they are many and a vector of columns fits the second.
static int64_t widest_for(const int32_t *crow, int64_t rows, int64_t sources, int64_t columns) {
    const bool narrow = sources * columns > LARGE && sources * LANES < 2 * LARGE;
    return narrow && crow[rows] > 32 * rows ? LANES : WIDEST * LANES;
}

// A vector of columns at a time, of which each thread has a copy in its own caches.
static void narrow_maxima(const int32_t *crow, const int32_t *column, int64_t rows,
                          const Blocked &x, bool alive, float *out, int32_t *winner) {
    const int64_t size = x.rows * LANES;
    const Workspace copies(omp_get_max_threads() * size, 1);
    const auto run = x.nans ? maxima<1, true> : maxima<1, false>;
#pragma omp parallel
    for (int64_t c = 0; c < x.columns; c += LANES) {
        float *own = copies.p + omp_get_thread_num() * size;
        memcpy(own, x.block(c), size * sizeof(float));
#pragma omp for schedule(dynamic) nowait
        for (int64_t part = 0; part < PARTS; part++)
            run(crow, column, rows, part, own, alive, out + c, winner + c, x.columns, x.columns - c);
    }
}

static void maxima_of(const int32_t *crow, const int32_t *column, int64_t rows, const Blocked &x,
                      bool alive, float *out, int32_t *winner) {
    if (x.widest == LANES) return narrow_maxima(crow, column, rows, x, alive, out, winner);
    for (int64_t c = 0; c < x.columns; c += x.width(c)) {
        const int64_t width = x.width(c);
        const auto run = width == LANES   ? (x.nans ? maxima<1, true> : maxima<1, false>)
                         : width == BLOCK ? (x.nans ? maxima<WIDE, true> : maxima<WIDE, false>)
                                          : (x.nans ? maxima<WIDEST, true> : maxima<WIDEST, false>);
#pragma omp parallel for schedule(dynamic) if (crow[rows] * x.columns > FEW)
        for (int64_t part = 0; part < PARTS; part++)
            run(crow, column, rows, part, x.block(c), alive, out + c, winner + c, x.columns,
                x.columns - c);
    }
}

// Adds each of g [rows, columns] to the row of `sums` that its maximum came from.
static void sum_by_winner(const float *g, const int32_t *winner, int64_t rows, Strips &sums) {
    const int64_t some = trimmed(g, rows, sums.columns);
    const int64_t columns = sums.columns, width = sums.width;
#pragma omp parallel for schedule(static) if (width < columns)
    for (int64_t c = 0; c < columns; c += width) {
        const int64_t n = least(columns - c, width);
        float *strip = sums.strip(c);
        memset(strip - width, 0, (sums.rows + 1) * width * sizeof(float));
        for (int64_t i = 0; i < some; i++) {
            const float *in = g + i * columns + c;
            const int32_t *who = winner + i * columns + c;
            for (int64_t d = 0; d < n && i + AHEAD < some; d += LINE) {
                __builtin_prefetch(in + AHEAD * columns + d);
                __builtin_prefetch(who + AHEAD * columns + d);
            }
            int64_t d = 0;
            for (; d + LINE <= n; d += LINE)
#pragma GCC unroll 16
                for (int64_t l = d; l < d + LINE; l++) strip[who[l] * width + l] += in[l];
            for (; d < n; d++) strip[who[d] * width + d] += in[d];
        }
    }
}

extern "C" {

// The maximum of x [sources, columns] over each row's entries and where it came from, the first
// of several; 0 and −1 for an empty row.
void aiec_maxima(const int32_t *crow, const int32_t *column, int64_t rows, int64_t sources,
                 const float *x, int64_t columns, float *out, int32_t *winner) {
    const int64_t widest = widest_for(crow, rows, sources, columns);
    maxima_of(crow, column, rows, {x, sources, columns, widest, true}, false, out, winner);
}

// The same of max(0, x · wᵀ + bias), for x [sources, inputs], w [columns, inputs] and bias [columns],
// which is not kept; the winner is −1 where the maximum is 0, too.
void aiec_pool(const int32_t *crow, const int32_t *column, int64_t rows, int64_t sources,
               const float *x, int64_t inputs, const float *w, const float *bias, int64_t columns,
               float *out, int32_t *winner) {
    Blocked mapped(sources, columns, widest_for(crow, rows, sources, columns));
    float *packed = pack(w, inputs, columns, true);
    const Term term = {{x, nullptr}, packed, inputs};
    product(&term, 1, sources, columns, bias, true, ToBlocks{mapped, {}});
    free(packed);
    maxima_of(crow, column, rows, mapped, true, out, winner);
}

// Adds each of g [rows, columns] to the row of out [sources, columns] that its maximum came from; one
// of −1 is none.
void aiec_to_winners(const float *g, const int32_t *winner, int64_t rows, int64_t sources,
                     int64_t columns, float *out) {
    Strips sums(sources, columns);
    sum_by_winner(g, winner, rows, sums);
#pragma omp parallel for schedule(static) if (sources * columns > FEW)
    for (int64_t j = 0; j < sources; j++) sums.some(j, 1, out + j * columns);
}

// The gradients of `aiec_pool` by that of its maxima, g [rows, columns]: by x, w and the bias; null
// where one is not wanted.
void aiec_pool_backward(const float *g, const int32_t *winner, int64_t rows, int64_t sources,
                        int64_t columns, const float *x, int64_t inputs, const float *w,
                        float *by_x, float *by_w, float *by_bias) {
    Strips sums(sources, columns);
    sum_by_winner(g, winner, rows, sums);
    const Way way({x, nullptr}, w, sources, inputs, columns, by_x, by_w);
    const Way none({nullptr, nullptr}, nullptr, sources, 0, columns, nullptr, nullptr);
    backward({nullptr, &sums, nullptr, nullptr}, by_bias, way, none);
    way.finish(sources);
}

}
