// Matrices in blocks of columns.

#pragma once

#include "vectors.h"

// A matrix whose columns lie in blocks, each [rows, width] with whole vectors, `widest` numbers, a
// power of two, at most: where rows are read at random, a block at a time fits the cache better than
// all of them do.
struct Blocked {
    const int64_t rows, columns, widest;
    const Workspace own;
    const float *x;     // the first block
    bool nans = false;  // whether there are any, where somebody looked

    // To be filled.
    Blocked(int64_t rows_, int64_t columns_, int64_t widest_)
        : rows(rows_), columns(columns_), widest(widest_), own(rows * padded(columns, LANES)),
          x(own.p) {}

    // A matrix as rows lie, copied unless that is one block already.
    Blocked(const float *from, int64_t rows_, int64_t columns_, int64_t widest_, bool look)
        : rows(rows_), columns(columns_), widest(widest_),
          own(columns == width(0) ? 0 : rows * padded(columns, LANES)),
          x(columns == width(0) ? from : own.p) {
        if (x == from && !look) return;
        bool any = false;
#pragma omp parallel reduction(|| : any) if (rows * columns > FEW)
        {
            ivec found = {};
#pragma omp for schedule(static) nowait
            for (int64_t i = 0; i < rows; i++)
                for (int64_t c = 0; c < columns; c += LANES) {
                    const vec here = load_some(from + i * columns + c, columns - c);
                    found |= here != here;
                    if (x != from) store(at(i, c), here);
                }
            any = any_of(found);
        }
        nans = any;
    }

    // Of the block that begins with column c.
    int64_t width(int64_t c) const {
        const int64_t left = columns - c;
        return left >= widest ? widest : left > LANES ? BLOCK : LANES;
    }
    const float *block(int64_t c) const { return x + c * rows; }
    // Where a vector of a row lies that begins with column c.
    float *at(int64_t row, int64_t c) const {
        int64_t start = c & -widest;
        if (columns - start < widest) start = c & -least(widest, BLOCK);
        return own.p + start * rows + row * width(start) + c - start;
    }
};

// A matrix whose rows are added to by number; what goes to row −1 is dropped. The columns lie in strips
// of equal width, a thread's own each: two may add to one row at a time, and where columns lie close
// together they stay in the caches.
struct Strips {
    const int64_t rows, columns, width;
    const Workspace own;

    Strips(int64_t rows_, int64_t columns_)
        : rows(rows_), columns(columns_), width(width_for()),
          own((rows + 1) * padded(columns, width)) {}

    int64_t width_for() const {
        const int64_t threads = rows * columns > FEW ? omp_get_max_threads() : 1;
        return columns ? padded((columns + threads - 1) / threads, LINE) : LINE;
    }

    // That with column c, after a row for what is nobody's.
    float *strip(int64_t c) const { return own.p + c * (rows + 1) + width; }

    // Some rows from `first` on, as rows lie.
    const float *some(int64_t first, int64_t n, float *out) const {
        for (int64_t c = 0; c < columns; c += width) {
            const int64_t size = least(columns - c, width) * sizeof(float);
            const float *from = strip(c) + first * width;
            for (int64_t i = 0; i < n; i++) memcpy(out + i * columns + c, from + i * width, size);
        }
        return out;
    }
};
