// The kernels of graph training for tall, narrow float32 matrices, on vectors and with OpenMP.
//
// Matrices are row-major and dense. Results do not depend on the number of threads: whatever is
// summed over rows is summed within slabs of fixed size, and these in their order.
//
// Only language extensions that GCC and Clang share; no headers beyond C's and OpenMP's.

#include <math.h>
#include <omp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__AVX512F__)
constexpr int LANES = 16, TILE = 12, WIDEST = 4;
#elif defined(__AVX__)
constexpr int LANES = 8, TILE = 6, WIDEST = 2;
#else
constexpr int LANES = 4, TILE = 6, WIDEST = 2;
#endif

// Two vectors of columns at a time: TILE rows of them, and what is multiplied, fit the registers.
constexpr int WIDE = 2, BLOCK = WIDE * LANES;
constexpr int64_t SLAB = 1024;  // rows that are summed as one
constexpr int64_t PIECE = 96;   // rows of a slab that stay in the first cache
constexpr int64_t PAIR = 32;    // the same where there are two matrices and their product
constexpr int64_t FEW = 20000;  // numbers below which a second thread costs more than it saves
constexpr int64_t FEW_COLUMNS = 5;  // that are made by dot products
constexpr int64_t PARTS = 64;   // of a sparse matrix, which threads take as they get to them
constexpr int64_t AHEAD = 16;   // rows that are fetched before they are read
constexpr int64_t LINE = 16;    // numbers of a cache line
constexpr int64_t LARGE = 1 << 20;  // numbers that the second cache does not hold

typedef float vec __attribute__((vector_size(4 * LANES)));
typedef float loose __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int32_t ivec __attribute__((vector_size(4 * LANES)));
typedef int32_t iloose __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

static inline vec load(const float *p) { return *(const loose *)p; }
static inline void store(float *p, vec v) { *(loose *)p = v; }
static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t padded(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

template <typename T>
static T *scratch(int64_t n) {
    void *p = nullptr;
    if (posix_memalign(&p, 64, (n > 0 ? n : 1) * sizeof(T))) abort();
    return (T *)p;
}

// Stores the first `n` lanes.
static inline void store_some(float *p, vec v, int64_t n) {
    if (n >= LANES)
        store(p, v);
    else if (n > 0)
        memcpy(p, &v, n * sizeof(float));
}

// The sum of the lanes, by halves.
template <int N>
static inline float total(const float *lanes) {
    typedef float half __attribute__((vector_size(2 * N), aligned(4), may_alias));
    const half sum = *(const half *)lanes + *(const half *)(lanes + N / 2);
    return total<N / 2>((const float *)&sum);
}
template <>
inline float total<2>(const float *lanes) {
    return lanes[0] + lanes[1];
}

static inline float dot(const float *x, const float *y, int64_t n) {
    vec sum = {};
    int64_t c = 0;
    for (; c + LANES <= n; c += LANES) sum += load(x + c) * load(y + c);
    float out = total<LANES>((const float *)&sum);
    for (; c < n; c++) out += x[c] * y[c];
    return out;
}

// What the losses of an AIEC layer add to the gradient of its output, in the rows of its samples,
// from `start` to `end`: by_logits · w, and the costs of the sample's class. Never a matrix.
struct Addend {
    const float *by_logits, *w, *cost;  // [samples, classes], [classes, columns] both
    const int64_t *y;
    int64_t start, end, classes;
    float of_aux, of_gate;  // factors of w and of cost
};

// What a gradient becomes on its way back through ReLU: 0 where that gave 0.
struct Relu {
    const float *shown;   // what ReLU put out; null where there was none, and nothing to do
    const Addend *more;   // is added first; or null

    // Some rows of g from `first` on; in `own`, unless nothing is to be done.
    const float *back(const float *g, int64_t first, int64_t rows, int64_t columns,
                      float *own) const {
        g += first * columns;
        if (!shown) return g;
        const float *y = shown + first * columns;
        for (int64_t i = 0; i < rows; i++) {
            const float *in = g + i * columns, *out_was = y + i * columns;
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

// The rows up to the last that is not all zero, at least `least_rows` of them: gradients of
// unlabelled rows are, at the end.
static int64_t trimmed(const float *x, int64_t rows, int64_t columns, int64_t least_rows = 0) {
    for (int64_t i = rows * columns - 1; i >= least_rows * columns; i--)
        if (x[i] != 0) return i / columns + 1;
    return least_rows;
}

// ---- dense products --------------------------------------------------------------------------

// `ROWS` rows by one block of columns of x · w, added to what `sum` holds.
template <int ROWS>
static inline void tile(const float *x, int64_t inputs, const float *w, vec (*sum)[WIDE]) {
    for (int64_t k = 0; k < inputs; k++) {
        const vec w0 = load(w + k * BLOCK), w1 = load(w + k * BLOCK + LANES);
#pragma GCC unroll 12
        for (int r = 0; r < ROWS; r++) {
            const float value = x[r * inputs + k];
            sum[r][0] += value * w0;
            sum[r][1] += value * w1;
        }
    }
}

struct Term {
    const float *x;   // [rows, inputs]
    const float *w;   // in blocks of columns, as `pack` makes them
    int64_t inputs;
    Relu relu;           // whose gradient x is, where it is one
};

template <int ROWS>
static inline void rows_of_product(const Term *terms, int count, int64_t row, int64_t columns,
                                   const float *bias, bool relu, float *out, float *own) {
    for (int64_t c = 0; c < columns; c += BLOCK) {
        vec sum[ROWS][WIDE];
        const vec b0 = load(bias + c), b1 = load(bias + c + LANES);
#pragma GCC unroll 12
        for (int r = 0; r < ROWS; r++) sum[r][0] = b0, sum[r][1] = b1;
        for (int t = 0; t < count; t++) {
            const Term &term = terms[t];
            const float *x = term.relu.back(term.x, row, ROWS, term.inputs, own);
            tile<ROWS>(x, term.inputs, term.w + c * term.inputs, sum);
        }
#pragma GCC unroll 12
        for (int r = 0; r < ROWS; r++) {
            vec s0 = sum[r][0], s1 = sum[r][1];
            if (relu) {  // a NaN passes, as through torch's
                s0 = s0 < 0 ? vec{} : s0;
                s1 = s1 < 0 ? vec{} : s1;
            }
            float *at = out + (row + r) * columns + c;
            store_some(at, s0, columns - c);
            store_some(at + LANES, s1, columns - c - LANES);
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

static void product(const Term *terms, int count, int64_t rows, int64_t columns,
                    const float *bias, bool relu, float *out) {
    float *wide = scratch<float>(padded(columns, BLOCK));
    memset(wide, 0, padded(columns, BLOCK) * sizeof(float));
    if (bias) memcpy(wide, bias, columns * sizeof(float));
    const int64_t tiles = rows / TILE, rest = rows - tiles * TILE;
    const int64_t masks = terms[0].relu.shown ? TILE * terms[0].inputs : 0;
#pragma omp parallel if (rows * columns > FEW)
    {
        float *own = scratch<float>(masks);
#pragma omp for schedule(static)
        for (int64_t t = 0; t < tiles; t++)
            rows_of_product<TILE>(terms, count, t * TILE, columns, wide, relu, out, own);
#pragma omp for schedule(static)
        for (int64_t r = 0; r < rest; r++)
            rows_of_product<1>(terms, count, tiles * TILE + r, columns, wide, relu, out, own);
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
    for (int64_t i = 0; i < rows; i++) {
        const vec x0 = load(x + i * inputs), x1 = load(x + i * inputs + LANES);
#pragma GCC unroll 12
        for (int o = 0; o < ROWS; o++) {
            const float value = g[i * outputs + o];
            total[o][0] += value * x0;
            total[o][1] += value * x1;
        }
    }
#pragma GCC unroll 12
    for (int o = 0; o < ROWS; o++)
        store(sum + o * stride, total[o][0]), store(sum + o * stride + LANES, total[o][1]);
}

// gᵀ · x [outputs, inputs], and the sum of g over the rows [outputs] where asked for.
static void outer_product(const float *g, const Relu &relu, const float *x, int64_t rows,
                          int64_t outputs, int64_t inputs, float *out, float *sum_of_g) {
    const int64_t stride = padded(inputs, BLOCK), slabs = (rows + SLAB - 1) / SLAB;
    const int64_t size = outputs * stride + outputs;
    float *parts = scratch<float>(slabs * size);
    const bool ragged = stride != inputs;
#pragma omp parallel for schedule(static) if (rows * inputs > FEW)
    for (int64_t s = 0; s < slabs; s++) {
        float *sum = parts + s * size, *of_g = sum + outputs * stride;
        float *wide = ragged ? scratch<float>(PAIR * stride) : nullptr;
        float *own = relu.shown ? scratch<float>(PAIR * outputs) : nullptr;
        memset(sum, 0, size * sizeof(float));
        const int64_t end = least(rows, (s + 1) * SLAB);
        for (int64_t first = s * SLAB; first < end; first += PAIR) {
            const int64_t n = least(PAIR, end - first);
            const float *xs = x + first * inputs;
            const float *gs = relu.back(g, first, n, outputs, own);
            if (ragged) {
                memset(wide, 0, n * stride * sizeof(float));
                for (int64_t i = 0; i < n; i++)
                    memcpy(wide + i * stride, xs + i * inputs, inputs * sizeof(float));
                xs = wide;
            }
            for (int64_t c = 0; c < stride; c += BLOCK) {
                int64_t o = 0;
                for (; o + TILE <= outputs; o += TILE)
                    outer<TILE>(gs + o, outputs, xs + c, stride, n, sum + o * stride + c, stride);
                for (; o + 4 <= outputs; o += 4)
                    outer<4>(gs + o, outputs, xs + c, stride, n, sum + o * stride + c, stride);
                for (; o < outputs; o++)
                    outer<1>(gs + o, outputs, xs + c, stride, n, sum + o * stride + c, stride);
            }
            if (sum_of_g)
                for (int64_t i = 0; i < n; i++)
                    for (int64_t o = 0; o < outputs; o++) of_g[o] += gs[i * outputs + o];
        }
        free(wide);
        free(own);
    }
    memset(out, 0, outputs * inputs * sizeof(float));
    if (sum_of_g) memset(sum_of_g, 0, outputs * sizeof(float));
    for (int64_t s = 0; s < slabs; s++) {
        const float *sum = parts + s * size, *of_g = sum + outputs * stride;
        for (int64_t o = 0; o < outputs; o++)
            for (int64_t c = 0; c < inputs; c++) out[o * inputs + c] += sum[o * stride + c];
        if (sum_of_g)
            for (int64_t o = 0; o < outputs; o++) sum_of_g[o] += of_g[o];
    }
    free(parts);
}

// ---- sparse products and maxima --------------------------------------------------------------

// x in blocks of columns, each [rows, width] with whole vectors, at most `widest` of them: a block
// at a time fits the cache better than whole rows do. x itself where it is one block already.
struct Blocked {
    const float *x;
    float *own;
    int64_t rows, columns, widest;

    Blocked(const float *x_, int64_t rows_, int64_t columns_, int64_t widest_)
        : x(x_), own(nullptr), rows(rows_), columns(columns_), widest(widest_ * LANES) {
        if (columns == width(0)) return;
        own = scratch<float>(rows * padded(columns, LANES));
        x = own;
#pragma omp parallel for schedule(static) if (rows * columns > FEW)
        for (int64_t i = 0; i < rows; i++)
            for (int64_t c = 0; c < columns; c += width(c)) {
                const int64_t width = this->width(c), n = least(columns - c, width);
                float *to = own + c * rows + i * width;
                memcpy(to, x_ + i * columns + c, n * sizeof(float));
                for (int64_t l = n; l < width; l++) to[l] = 0;
            }
    }
    ~Blocked() { free(own); }
    // Of the block that begins with column c.
    int64_t width(int64_t c) const {
        const int64_t left = columns - c;
        return left >= widest ? widest : left > LANES ? BLOCK : LANES;
    }
    const float *block(int64_t c) const { return x + c * rows; }
};

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

template <int WIDTH, bool NANS>
static void maxima(const int32_t *crow, const int32_t *column, int64_t rows, const float *x,
                   float *out, int32_t *winner, int64_t columns, int64_t left) {
    // A row is read in runs side by side: one comparison need not wait for the one before.
    constexpr int RUNS = WIDTH == 1 ? 4 : 2;
#pragma omp parallel for schedule(dynamic) if (crow[rows] * columns > FEW)
    for (int64_t part = 0; part < PARTS; part++) {
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
                vec bits;
                memcpy(&bits, &best[0].who[v], sizeof bits);
                store_some(out + i * columns + v * LANES, best[0].value[v], left - v * LANES);
                store_some((float *)winner + i * columns + v * LANES, bits, left - v * LANES);
            }
        }
    }
}

template <bool NANS>
static void maxima_of(const int32_t *crow, const int32_t *column, int64_t rows,
                      const Blocked &x, float *out, int32_t *winner) {
    const int64_t columns = x.columns;
    for (int64_t c = 0; c < columns; c += x.width(c)) {
        const int64_t width = x.width(c);
        const auto run = width == LANES   ? maxima<1, NANS>
                         : width == BLOCK ? maxima<WIDE, NANS>
                                          : maxima<WIDEST, NANS>;
        run(crow, column, rows, x.block(c), out + c, winner + c, columns, columns - c);
    }
}

// ---- losses ----------------------------------------------------------------------------------

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
            vec here = {};
            if (left >= LANES)
                here = load(row);
            else
                memcpy(&here, row, left * sizeof(float));
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

// max(0, ·) where asked for, of Σ_t x_t · w_tᵀ + bias, over one term or two (x2 and w2 not null).
// x [rows, inputs], w [columns, inputs], out [rows, columns].
void aiec_linear(const float *x, const float *w, int64_t inputs, const float *x2, const float *w2,
                 int64_t inputs2, const float *bias, int64_t rows, int64_t columns, int relu,
                 float *out) {
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
    const Term terms[2] = {{x, one, inputs, {}}, {x2, two, inputs2, {}}};
    product(terms, x2 ? 2 : 1, rows, columns, bias, relu, out);
    free(one);
    free(two);
}

// g · w: g [rows, outputs], w [outputs, inputs], out [all_rows, inputs], 0 from `rows` on.
// g counts as 0 where `shown`, what ReLU put out, is 0; null where there was no ReLU. `more`, or
// null, is added to it.
void aiec_by_input(const float *g, const float *shown, const Addend *more, const float *w,
                   int64_t rows, int64_t outputs, int64_t inputs, int64_t all_rows, float *out) {
    const int64_t some = trimmed(g, rows, outputs, more ? more->end : 0);
    float *packed = pack(w, outputs, inputs, false);
    const Term term = {g, packed, outputs, {shown, more}};
    product(&term, 1, some, inputs, nullptr, false, out);
    memset(out + some * inputs, 0, (all_rows - some) * inputs * sizeof(float));
    free(packed);
}

// gᵀ · x [outputs, inputs], and the sum of g over the rows [outputs] where by_bias is not null.
// `shown` and `more` as above.
void aiec_by_weight(const float *g, const float *shown, const Addend *more, const float *x,
                    int64_t rows, int64_t outputs, int64_t inputs, float *out, float *by_bias) {
    const int64_t some = trimmed(g, rows, outputs, more ? more->end : 0);
    outer_product(g, {shown, more}, x, some, outputs, inputs, out, by_bias);
}

// A · x for A in CSR [rows, sources], x [sources, columns].
void aiec_sums(const int32_t *crow, const int32_t *column, const float *value, int64_t rows,
               int64_t sources, const float *x, int64_t columns, float *out) {
    const int32_t limit = trimmed(x, sources, columns);
    const Blocked blocked(x, sources, columns, WIDE);
    for (int64_t c = 0; c < columns; c += BLOCK) {
        const auto run = blocked.width(c) == BLOCK ? sums<WIDE> : sums<1>;
        run(crow, column, value, rows, limit, blocked.block(c), out + c, columns, columns - c);
    }
}

// The maximum of x [sources, columns] over each row's entries and where it came from, the first
// of several; 0 and −1 for an empty row.
void aiec_maxima(const int32_t *crow, const int32_t *column, int64_t rows, int64_t sources,
                 const float *x, int64_t columns, float *out, int32_t *winner) {
    // Passing over a row's entries again costs less than the third cache does, if they are many.
    const bool narrow = sources * columns > LARGE && crow[rows] > 32 * rows;
    const Blocked blocked(x, sources, columns, narrow ? 1 : WIDEST);
    bool nans = false;
#pragma omp parallel for reduction(|| : nans) schedule(static) if (sources * columns > FEW)
    for (int64_t i = 0; i < sources; i++) {
        int32_t here = 0;
        for (int64_t c = 0; c < columns; c++) here |= x[i * columns + c] != x[i * columns + c];
        nans = nans || here;
    }
    (nans ? maxima_of<true> : maxima_of<false>)(crow, column, rows, blocked, out, winner);
}

// Adds each of g [rows, columns] to the row of out [sources, columns] that its maximum came from.
void aiec_to_winners(const float *g, const int32_t *winner, int64_t rows, int64_t sources,
                     int64_t columns, float *out) {
    const int64_t some = trimmed(g, rows, columns);
    // Two rows may have one winner: so threads share out the columns, by whole cache lines; each
    // adds to a strip of its own, which lies closer together than its columns of `out`.
    const int64_t threads = some * columns > FEW ? omp_get_max_threads() : 1;
    const int64_t width = padded((columns + threads - 1) / threads, LINE);
    float *strips = scratch<float>(sources * padded(columns, width));
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t c = 0; c < columns; c += width) {
        const int64_t n = least(columns - c, width);
        float *strip = strips + c * sources;
        memset(strip, 0, sources * width * sizeof(float));
        for (int64_t i = 0; i < some; i++) {
            const float *in = g + i * columns + c;
            const int32_t *who = winner + i * columns + c;
            for (int64_t d = 0; d < n && i + AHEAD < some; d += LINE) {
                __builtin_prefetch(in + AHEAD * columns + d);
                __builtin_prefetch(who + AHEAD * columns + d);
            }
            if (who[0] < 0) continue;  // an empty row
            int64_t d = 0;
            for (; d + LINE <= n; d += LINE)
#pragma GCC unroll 16
                for (int64_t l = d; l < d + LINE; l++) strip[who[l] * width + l] += in[l];
            for (; d < n; d++) strip[who[d] * width + d] += in[d];
        }
        for (int64_t j = 0; j < sources; j++)
            memcpy(out + j * columns + c, strip + j * width, n * sizeof(float));
    }
    free(strips);
}

// The gradient of the summed weighted loss by the logits [rows, classes]. sums: that loss, and the
// summed weight.
void aiec_cross_entropy(const float *logits, const int64_t *y, const float *weight, int64_t rows,
                        int64_t classes, float *gradient, double *sums) {
    const int64_t slabs = (rows + SLAB - 1) / SLAB;
    Sums *parts = scratch<Sums>(slabs);
#pragma omp parallel for schedule(static) if (rows * classes > FEW)
    for (int64_t s = 0; s < slabs; s++) {
        const int64_t first = s * SLAB, n = least(SLAB, rows - first);
        float *z = gradient + first * classes;
        memcpy(z, logits + first * classes, n * classes * sizeof(float));
        parts[s] = cross_entropy(z, y + first, weight, n, classes);
    }
    sums[0] = sums[1] = 0;
    for (int64_t s = 0; s < slabs; s++) sums[0] += parts[s].loss, sums[1] += parts[s].mass;
    free(parts);
}

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
    const int64_t slabs = (rows + SLAB - 1) / SLAB, matrix = classes * channels;
    const int64_t size = 3 * matrix + classes;
    Sums *losses = scratch<Sums>(slabs);
    float *parts = scratch<float>(slabs * size);
#pragma omp parallel for schedule(static) if (rows * channels > FEW)
    for (int64_t s = 0; s < slabs; s++) {
        const int64_t first = s * SLAB, n = least(SLAB, rows - first);
        float *part = parts + s * size;
        memset(part, 0, size * sizeof(float));
        const Seen seen = {part, part + matrix, part + 2 * matrix, part + 3 * matrix};
        losses[s] = judge(a + first * channels, y + first, w, class_weight, n, channels, classes,
                          all, seen, by_logits + first * classes);
    }
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

}
