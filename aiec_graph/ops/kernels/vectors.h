// Vectors, the sizes that the kernels work in, and what all of them use.
//
// Only language extensions that GCC and Clang share; no headers beyond C's, POSIX's and OpenMP's.

#pragma once

#include <math.h>
#include <omp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__AVX512F__)
constexpr int LANES = 16, TILE = 12, WIDEST = 4;
#elif defined(__AVX__)
constexpr int LANES = 8, TILE = 6, WIDEST = 2;
#else
constexpr int LANES = 4, TILE = 6, WIDEST = 2;
#endif

// Two vectors of columns at a time: TILE rows of them, and what is multiplied, fit the registers.
constexpr int WIDE = 2, BLOCK = WIDE * LANES;
constexpr int64_t LINE = 16;  // numbers of a cache line
constexpr int64_t SLAB = 1024;  // rows that are summed as one
constexpr int64_t FEW = 20000;  // numbers below which a second thread costs more than it saves

typedef float vec __attribute__((vector_size(4 * LANES)));
typedef float loose __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int32_t ivec __attribute__((vector_size(4 * LANES)));

static inline vec load(const float *p) { return *(const loose *)p; }
static inline void store(float *p, vec v) { *(loose *)p = v; }
static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t padded(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

static inline int64_t slabs_of(int64_t rows) { return (rows + SLAB - 1) / SLAB; }

// Calls `make` with each slab of some rows: its number, its first row and that after its last. Threads,
// if they are worth it, share the slabs out by rows, since the last may be a short one.
template <typename Make>
static void by_slabs(int64_t rows, bool worth, const Make &make) {
#pragma omp parallel if (worth)
    {
        const int64_t me = omp_get_thread_num(), threads = omp_get_num_threads();
        const auto start = [=](int64_t thread) {
            const int64_t near = (rows * thread / threads + SLAB / 2) / SLAB;
            return thread < threads ? near : slabs_of(rows);
        };
        for (int64_t s = start(me); s < start(me + 1); s++)
            make(s, s * SLAB, least(rows, (s + 1) * SLAB));
    }
}

// Whether any lane is not 0.
static inline bool any_of(ivec v) {
    int32_t any = 0;
    for (int64_t l = 0; l < LANES; l++) any |= v[l];
    return any;
}

template <typename T>
static T *scratch(int64_t n) {
    void *p = nullptr;
    if (posix_memalign(&p, 64, (n > 0 ? n : 1) * sizeof(T))) abort();
    return (T *)p;
}

// Memory to work in, which the calling thread keeps for its next call unless it is large; one at a
// time of each number. What a kernel reads or writes there at random should stay in the second cache,
// and does so best in a huge page: small ones may lie in each other's way.
struct Kept {
    float *p;
    int64_t bytes;
    ~Kept() { free(p); }
};
static thread_local Kept kept[2] = {};

class Workspace {
    static constexpr int64_t PAGE = 1 << 21, MOST = 1 << 26;  // bytes
    float *own = nullptr;

    static float *paged(int64_t bytes) {
        void *p = nullptr;
        if (posix_memalign(&p, PAGE, bytes)) abort();
#ifdef MADV_HUGEPAGE
        madvise(p, bytes, MADV_HUGEPAGE);
#endif
        return (float *)p;
    }

  public:
    float *p;  // [n], with anything in it

    explicit Workspace(int64_t n, int number = 0) {
        const int64_t bytes = padded(n * sizeof(float), PAGE);
        Kept &here = kept[number];
        if (bytes > MOST) {
            p = own = paged(bytes);
            return;
        }
        if (bytes > here.bytes) {
            free(here.p);
            here.p = paged(bytes);
            here.bytes = bytes;
        }
        p = here.p;
    }
    Workspace(const Workspace &) = delete;
    ~Workspace() { free(own); }
};

// The first `n` lanes, the others 0.
static inline vec load_some(const float *p, int64_t n) {
    vec v = {};
    if (n >= LANES) return load(p);
    if (n > 0) memcpy(&v, p, n * sizeof(float));
    return v;
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

// The rows up to the last that is not all zero, at least `least_rows` of them: gradients of
// unlabelled rows are, at the end.
static int64_t trimmed(const float *x, int64_t rows, int64_t columns, int64_t least_rows = 0) {
    for (int64_t i = rows * columns - 1; i >= least_rows * columns; i--)
        if (x[i] != 0) return i / columns + 1;
    return least_rows;
}
