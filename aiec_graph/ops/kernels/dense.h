// Dense products of tall, narrow matrices: a linear map and its gradients.

#pragma once

#include "blocked.h"

constexpr int64_t NEAR = 4 * TILE;  // rows that stay in the near caches while all is made of them
constexpr int64_t FEW_COLUMNS = 5;  // that are made by dot products

// What the losses of an AIEC layer add to the gradient of its output, in the rows of its samples,
// from `start` to `end`: by_logits · w, and the costs of the sample's class. Never a matrix.
struct Addend {
    const float *by_logits, *w, *cost;  // [samples, classes], [classes, columns] both
    const int64_t *y;
    int64_t start, end, classes;
    float of_aux, of_gate;  // factors of w and of cost
};

// The gradient of a linear map's output, g [rows, columns], or of what ReLU made of it: then 0 where
// that gave 0.
struct Gradient {
    const float *g;
    const Strips *strips;  // where it lies in these, and nothing else is to be done; or null
    const float *shown;    // what ReLU put out; null where there was none
    const Addend *more;    // is added before; or null

    // Some rows from `first` on; in `own`, unless they lie in `g` as they are.
    const float *some(int64_t first, int64_t rows, int64_t columns, float *own) const {
        if (strips) return strips->some(first, rows, own);
        if (!shown) return g + first * columns;
        const float *y = shown + first * columns;
        for (int64_t i = 0; i < rows; i++) {
            const float *in = g + (first + i) * columns, *out_was = y + i * columns;
            float *out = own + i * columns;
            if (more && first + i >= more->start && first + i < more->end)
                add(in, out_was, first + i - more->start, columns, out);
            else
                for (int64_t c = 0; c < columns; c++) out[c] = out_was[c] <= 0 ? 0 : in[c];
        }
        return own;
    }

    inline void add(const float *in, const float *out_was, int64_t sample, int64_t columns,
                    float *out) const {
        const float *d = more->by_logits + sample * more->classes;
        const float *cost = more->cost + more->y[sample] * columns;
        int64_t c = 0;
        for (; c + LANES <= columns; c += LANES) {
            vec sum = {};
            for (int64_t k = 0; k < more->classes; k++) sum += d[k] * load(more->w + k * columns + c);
            sum = load(in + c) + more->of_gate * load(cost + c) + more->of_aux * sum;
            store(out + c, load(out_was + c) <= 0 ? vec{} : sum);
        }
        for (; c < columns; c++) {
            float sum = 0;
            for (int64_t k = 0; k < more->classes; k++) sum += d[k] * more->w[k * columns + c];
            sum = in[c] + more->of_gate * cost[c] + more->of_aux * sum;
            out[c] = out_was[c] <= 0 ? 0 : sum;
        }
    }
};

// Adds some rows to `sum`.
static void add_rows(const float *g, int64_t rows, int64_t columns, float *sum) {
    int64_t c = 0;
    for (; c + BLOCK <= columns; c += BLOCK) {
        vec sum0 = load(sum + c), sum1 = load(sum + c + LANES);
        for (int64_t i = 0; i < rows; i++) {
            sum0 += load(g + i * columns + c);
            sum1 += load(g + i * columns + c + LANES);
        }
        store(sum + c, sum0), store(sum + c + LANES, sum1);
    }
    for (; c < columns; c++)
        for (int64_t i = 0; i < rows; i++) sum[c] += g[i * columns + c];
}

// `ROWS` numbers, `step` apart, times one block of a row, added to what `sum` holds.
template <int ROWS>
static inline void add_products(const float *numbers, int64_t step, const float *row,
                                vec (*sum)[WIDE]) {
    const vec row0 = load(row), row1 = load(row + LANES);
#pragma GCC unroll 12
    for (int r = 0; r < ROWS; r++) {
        const float value = numbers[r * step];
        sum[r][0] += value * row0;
        sum[r][1] += value * row1;
    }
}

// A matrix whose rows lie as they are, or are others' numbers: `rows[i]` is the i-th; null for all.
struct Rows {
    const float *x;
    const int64_t *rows;

    // Some rows from `first` on; in `own`, unless they lie in their order already.
    const float *some(int64_t first, int64_t n, int64_t columns, float *own) const {
        if (!rows) return x + first * columns;
        for (int64_t i = 0; i < n; i++)
            memcpy(own + i * columns, x + rows[first + i] * columns, columns * sizeof(float));
        return own;
    }
};

struct Term {
    Rows x;          // [rows, inputs]
    const float *w;  // in blocks of columns, as `pack` makes them
    int64_t inputs;
};

// Where a product goes: into a matrix [rows, columns] as rows lie,
struct Flat {
    float *out;
    int64_t columns;

    void put(int64_t row, int64_t c, vec v) { store_some(out + row * columns + c, v, columns - c); }
    void finish() {}
};

// or into one in blocks, which learns whether there was a NaN.
struct ToBlocks {
    Blocked &to;
    ivec found;

    void put(int64_t row, int64_t c, vec v) {
        if (c >= to.columns) return;
        found |= v != v;
        store(to.at(row, c), v);
    }
    void finish() {
        if (any_of(found))
#pragma omp atomic write
            to.nans = true;
    }
};

template <int ROWS, typename Out>
static inline void rows_of_product(const Term *terms, int count, int64_t row, int64_t columns,
                                   const float *bias, bool relu, Out &out, float *own) {
    for (int64_t c = 0; c < columns; c += BLOCK) {
        vec sum[ROWS][WIDE];
        const vec b0 = load(bias + c), b1 = load(bias + c + LANES);
#pragma GCC unroll 12
        for (int r = 0; r < ROWS; r++) sum[r][0] = b0, sum[r][1] = b1;
        for (int t = 0; t < count; t++) {
            const Term &term = terms[t];
            const float *x = term.x.some(row, ROWS, term.inputs, own);
            const float *w = term.w + c * term.inputs;
            for (int64_t k = 0; k < term.inputs; k++)
                add_products<ROWS>(x + k, term.inputs, w + k * BLOCK, sum);
        }
#pragma GCC unroll 12
        for (int r = 0; r < ROWS; r++) {
            vec s0 = sum[r][0], s1 = sum[r][1];
            if (relu) {  // a NaN passes, as through torch's
                s0 = s0 < 0 ? vec{} : s0;
                s1 = s1 < 0 ? vec{} : s1;
            }
            out.put(row + r, c, s0);
            out.put(row + r, c + LANES, s1);
        }
    }
}

// w in blocks of columns, each [inputs, BLOCK], filled up with zeros. `w` is [inputs, columns], or
// its transpose as torch's layers hold it.
static float *pack(const float *w, int64_t inputs, int64_t columns, bool transposed) {
    float *out = scratch<float>(padded(columns, BLOCK) * inputs);
    for (int64_t c = 0; c < columns; c += BLOCK)
        for (int64_t k = 0; k < inputs; k++)
            for (int64_t l = 0; l < BLOCK; l++) {
                float value = 0;
                if (c + l < columns)
                    value = transposed ? w[(c + l) * inputs + k] : w[k * columns + c + l];
                out[c * inputs + k * BLOCK + l] = value;
            }
    return out;
}

template <typename Out>
static void product(const Term *terms, int count, int64_t rows, int64_t columns,
                    const float *bias, bool relu, const Out &out) {
    float *wide = scratch<float>(padded(columns, BLOCK));
    memset(wide, 0, padded(columns, BLOCK) * sizeof(float));
    if (bias) memcpy(wide, bias, columns * sizeof(float));
    const int64_t tiles = rows / TILE, rest = rows - tiles * TILE;
    int64_t most = 0;
    for (int t = 0; t < count; t++)
        if (terms[t].x.rows) most = TILE * terms[t].inputs;
#pragma omp parallel if (rows * columns > FEW)
    {
        float *own = scratch<float>(most);
        Out mine = out;
#pragma omp for schedule(static) nowait
        for (int64_t t = 0; t < tiles; t++)
            rows_of_product<TILE>(terms, count, t * TILE, columns, wide, relu, mine, own);
#pragma omp for schedule(static) nowait
        for (int64_t r = 0; r < rest; r++)
            rows_of_product<1>(terms, count, tiles * TILE + r, columns, wide, relu, mine, own);
        mine.finish();
        free(own);
    }
    free(wide);
}

// `ROWS` columns of g by one block of columns of x: their products summed over some rows.
template <int ROWS>
static inline void outer(const float *g, int64_t outputs, const float *x, int64_t inputs,
                         int64_t rows, float *sum, int64_t stride) {
    vec total[ROWS][WIDE];
#pragma GCC unroll 12
    for (int o = 0; o < ROWS; o++)
        total[o][0] = load(sum + o * stride), total[o][1] = load(sum + o * stride + LANES);
    for (int64_t i = 0; i < rows; i++) add_products<ROWS>(g + i * outputs, 1, x + i * inputs, total);
#pragma GCC unroll 12
    for (int o = 0; o < ROWS; o++)
        store(sum + o * stride, total[o][0]), store(sum + o * stride + LANES, total[o][1]);
}

// One term of a linear map on its way back: its x [rows, inputs], its w [outputs, inputs], and
// where their gradients go, null where one is not wanted.
struct Way {
    Rows x;
    int64_t rows, inputs, outputs, stride;
    float *by_x, *by_w;
    float *packed, *parts;  // w; by_w of each slab [slabs, outputs, stride]

    Way(Rows x_, const float *w, int64_t rows_, int64_t inputs_, int64_t outputs_, float *by_x_,
        float *by_w_)
        : x(x_), rows(rows_), inputs(inputs_), outputs(outputs_), stride(padded(inputs, BLOCK)),
          by_x(by_x_), by_w(by_w_), packed(nullptr), parts(nullptr) {
        if (by_x) packed = pack(w, outputs, inputs, false);
        if (by_w) parts = scratch<float>(slabs_of(rows) * outputs * stride);
    }
    ~Way() { free(packed), free(parts); }

    // All that `n` rows of g give. `wide` takes as many rows of x, `zeros` is one.
    void add(const float *g, int64_t slab, int64_t first, int64_t n, float *wide,
             const float *zeros) const {
        float *sum = parts + slab * outputs * stride;
        if (by_w && first == slab * SLAB) memset(sum, 0, outputs * stride * sizeof(float));
        if (by_w) add_by_w(g, x.some(first, n, inputs, wide), n, wide, sum);
        if (by_x) make_by_x(g, n, zeros, by_x + first * inputs);
    }

    void add_by_w(const float *g, const float *xs, int64_t n, float *wide, float *sum) const {
        if (stride != inputs) {  // the last first: they may lie in `wide` already
            for (int64_t i = n - 1; i >= 0; i--) {
                memmove(wide + i * stride, xs + i * inputs, inputs * sizeof(float));
                memset(wide + i * stride + inputs, 0, (stride - inputs) * sizeof(float));
            }
            xs = wide;
        }
        for (int64_t c = 0; c < stride; c += BLOCK) {
            int64_t o = 0;
            for (; o + TILE <= outputs; o += TILE)
                outer<TILE>(g + o, outputs, xs + c, stride, n, sum + o * stride + c, stride);
            for (; o + 4 <= outputs; o += 4)
                outer<4>(g + o, outputs, xs + c, stride, n, sum + o * stride + c, stride);
            for (; o < outputs; o++)
                outer<1>(g + o, outputs, xs + c, stride, n, sum + o * stride + c, stride);
        }
    }

    void make_by_x(const float *g, int64_t n, const float *zeros, float *out) const {
        const Term term = {{g, nullptr}, packed, outputs};
        Flat to = {out, inputs};
        int64_t i = 0;
        for (; i + TILE <= n; i += TILE)
            rows_of_product<TILE>(&term, 1, i, inputs, zeros, false, to, nullptr);
        for (; i < n; i++)
            rows_of_product<1>(&term, 1, i, inputs, zeros, false, to, nullptr);
    }

    // What is left once all rows were added: rows of by_x up to `all_rows`, and the sum of the slabs.
    void finish(int64_t all_rows) const {
        if (by_x) memset(by_x + rows * inputs, 0, (all_rows - rows) * inputs * sizeof(float));
        if (!by_w) return;
        memset(by_w, 0, outputs * inputs * sizeof(float));
        for (int64_t row = 0; row < slabs_of(rows) * outputs; row++)
            for (int64_t c = 0; c < inputs; c++)
                by_w[row % outputs * inputs + c] += parts[row * stride + c];
    }
};

// What both ways and the bias [outputs], where it is not null, get from a gradient.
static void backward(const Gradient &gradient, float *by_bias, const Way &one, const Way &two) {
    const int64_t rows = one.rows, outputs = one.outputs, slabs = slabs_of(rows);
    const int64_t widest = one.stride > two.stride ? one.stride : two.stride;
    float *sums = scratch<float>(slabs * outputs), *zeros = scratch<float>(widest);
    memset(sums, 0, slabs * outputs * sizeof(float));
    memset(zeros, 0, widest * sizeof(float));
    const bool worth = rows * (one.inputs + two.inputs) > FEW;
    by_slabs(rows, worth, [&](int64_t s, int64_t start, int64_t end) {
        float *own = scratch<float>(NEAR * outputs), *wide = scratch<float>(NEAR * widest);
        for (int64_t first = start; first < end; first += NEAR) {
            const int64_t n = least(NEAR, end - first);
            const float *g = gradient.some(first, n, outputs, own);
            one.add(g, s, first, n, wide, zeros);
            two.add(g, s, first, n, wide, zeros);
            if (by_bias) add_rows(g, n, outputs, sums + s * outputs);
        }
        free(own);
        free(wide);
    });
    if (by_bias) memset(by_bias, 0, outputs * sizeof(float));
    for (int64_t s = 0; by_bias && s < slabs; s++)
        for (int64_t o = 0; o < outputs; o++) by_bias[o] += sums[s * outputs + o];
    free(sums);
    free(zeros);
}

extern "C" {

// max(0, ·) where asked for, of Σ_t x_t · w_tᵀ + bias, over one term or two (x2 and w2 not null).
// x [rows, inputs], w [columns, inputs], out [rows, columns]; of x2 the rows `rows2`, or null.
void aiec_linear(const float *x, const float *w, int64_t inputs, const float *x2,
                 const int64_t *rows2, const float *w2, int64_t inputs2, const float *bias,
                 int64_t rows, int64_t columns, int relu, float *out) {
    if (columns < FEW_COLUMNS && !x2) {
#pragma omp parallel for schedule(static) if (rows * inputs > FEW)
        for (int64_t i = 0; i < rows; i++)
            for (int64_t c = 0; c < columns; c++) {
                const float sum = dot(x + i * inputs, w + c * inputs, inputs) + (bias ? bias[c] : 0);
                out[i * columns + c] = relu && sum < 0 ? 0 : sum;
            }
        return;
    }
    float *one = pack(w, inputs, columns, true);
    float *two = x2 ? pack(w2, inputs2, columns, true) : nullptr;
    const Term terms[2] = {{{x, nullptr}, one, inputs}, {{x2, rows2}, two, inputs2}};
    product(terms, x2 ? 2 : 1, rows, columns, bias, relu, Flat{out, columns});
    free(one);
    free(two);
}

// The gradients of `aiec_linear` by that of its output, g [rows, outputs]: by the bias [outputs], by
// each term's x and by its w; null where one is not wanted. x2 has x2_rows, of which those that did
// not enter get 0. g counts as 0 where `shown`, what ReLU put out, is 0; null where there was no
// ReLU. `more`, or null, is added to it.
void aiec_linear_backward(const float *g, const float *shown, const Addend *more, int64_t rows,
                          int64_t outputs, float *by_bias, const float *x, const float *w,
                          int64_t inputs, float *by_x, float *by_w, const float *x2,
                          const int64_t *rows2, const float *w2, int64_t inputs2, int64_t x2_rows,
                          float *by_x2, float *by_w2) {
    const int64_t some = trimmed(g, rows, outputs, more ? more->end : 0);
    const Way one({x, nullptr}, w, some, inputs, outputs, by_x, by_w);
    const Way two({x2, rows2}, w2, some, inputs2, outputs, by_x2, by_w2);
    backward({g, nullptr, shown, more}, by_bias, one, two);
    one.finish(rows);
    two.finish(x2_rows);
}

}
