// Matrices in blocks of columns.

#pragma once

#include "vectors.h"

// A matrix whose columns lie in blocks, each [rows, width] with whole vectors, `widest` numbers, a
// power of two, at most: where rows are read at random, a block at a time fits the cache better than all of them do.
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
            for (int64_t l = 0; l < LANES; l++) any = any || found[l];
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
