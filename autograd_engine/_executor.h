/* Plans run on batches of samples: what `_executor.pyx` hands to Python. C99, without Python.
 *
 * A plan is four sections of code, a stream of ints in which an instruction is [op, length, ...].
 * The prologue and the epilogue work on u, the numbers that a call has one of each (uniform). The
 * body works on registers, which hold one number for each of the w lanes (samples) of a block: lane
 * l of register i is r[i * w + l], w a multiple of 8, so that neighbouring registers are one run.
 *
 *   [row, 10, count, out, a, sa, b, sb, c, sc]   out + i = row(a + i*sa, b + i*sb, c + i*sc)
 *   [sum | mean | dot | logsumexp, length, out, n, operands...]
 *   [MATRIX, length, J, K, pack, outs..., xs...]   out_j = p[pack + j] + sum_k p[pack + J + k*J + j] x_k
 *   [OUTER, length, J, K, acc, as..., bs...]       a sum over lanes: acc + j*K + k += a_j b_k
 *   [LOAD, 5, count, out, column]  [STORE, 5, count, register, column]  [BROADCAST, 5, count, out, u]
 *
 * The lanes are cut into chunks, which depend only on their number, and chunks into blocks. Chunks
 * may run at once, each thread with registers of its own. A sum over lanes goes first into 8 partial
 * sums by lane % 8, from block to block; then these 8 are added, ((0+4)+(2+6)) + ((1+5)+(3+7)); then
 * those of the chunks, in order. So neither threads nor blocks change a bit of it.
 *
 * What computes is `_engine.h`, which is compiled once for each instruction set; the best that the
 * processor has is chosen at run time.
 */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#define AE_VECTOR_MATH
#include "_vector.h"
#include "_kernels.h"

#if defined(__GNUC__) && defined(__x86_64__)
#define AE_DISPATCH 1
#include <immintrin.h>
#elif defined(__GNUC__) && defined(__aarch64__)
#include <arm_neon.h>
#endif

#if defined(__clang__)
#define AE_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#define AE_UNROLL _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__)
#define AE_INDEPENDENT _Pragma("GCC ivdep")
#define AE_UNROLL _Pragma("GCC unroll 16")
#elif defined(_MSC_VER)
#define AE_INDEPENDENT __pragma(loop(ivdep))
#define AE_UNROLL
#else
#define AE_INDEPENDENT
#define AE_UNROLL
#endif
#ifdef __GNUC__
#define AE_INLINE static inline __attribute__((always_inline))
#define AE_FLAT static __attribute__((noinline, flatten)) /* all that it calls becomes part of it */
#define AE_ONE_BY_ONE __asm__ volatile("") /* in a loop: not worth vectors */
#else
#define AE_INLINE static inline
#define AE_FLAT static
#define AE_ONE_BY_ONE (void) 0
#endif

enum { AE_LT = AE_COUNT, AE_LE, AE_GT, AE_GE, AE_EQ, AE_NE,
       AE_MATRIX, AE_OUTER, AE_LOAD, AE_STORE, AE_BROADCAST, AE_OPS };
enum { AE_PROLOGUE, AE_SETUP, AE_BODY, AE_EPILOGUE, AE_SECTIONS };

#define AE_LESS(F) F(LT, <) F(LE, <=) F(GT, >) F(GE, >=) F(EQ, ==) F(NE, !=)

/* Name and number of operands of every elementwise row; the others have 0. */
static const struct { const char *name; int arity; } AE_OPCODES[AE_OPS] = {
#define AE_ENTRY(row) [AE_##row] = {#row, 1},
    AE_UNARY(AE_ENTRY)
#undef AE_ENTRY
#define AE_ENTRY(row) [AE_##row] = {#row, 2},
    AE_BINARY(AE_ENTRY)
#undef AE_ENTRY
#define AE_ENTRY(row, sign) [AE_##row] = {#sign, 2},
    AE_LESS(AE_ENTRY)
#undef AE_ENTRY
    [AE_where] = {"where", 3}, [AE_sum] = {"sum", 0}, [AE_mean] = {"mean", 0}, [AE_dot] = {"dot", 0},
    [AE_logsumexp] = {"logsumexp", 0}, [AE_MATRIX] = {"MATRIX", 0}, [AE_OUTER] = {"OUTER", 0},
    [AE_LOAD] = {"LOAD", 0}, [AE_STORE] = {"STORE", 0}, [AE_BROADCAST] = {"BROADCAST", 0},
};

typedef struct { char *data; ptrdiff_t stride; } ae_column; /* stride in bytes */

typedef struct ae_plan {
    int *code[AE_SECTIONS];
    ptrdiff_t length[AE_SECTIONS];
    const double *start; /* u at the start of a call: the constants in their places */
    int *pack;           /* p[i] = u[pack[i]] */
    ptrdiff_t uniforms, packed, registers, accumulators, sums, in_columns, out_columns;
    ptrdiff_t block;     /* lanes, a multiple of 8 */
    ptrdiff_t size;      /* u[size] = number of lanes, if size >= 0 */
    int exclusive;       /* every accumulator belongs to one OUTER */
    const struct ae_engine *engine;
} ae_plan;

typedef struct { void *memory; double *r, *a; } ae_lanes; /* registers, accumulators */

typedef struct ae_workspace {
    struct ae_workspace *next; /* in a list of free ones */
    double *u, *p, *partial;   /* partial[chunk * accumulators + i] */
    ae_column *in, *out;
    ae_lanes *lanes;           /* one for each thread */
    ptrdiff_t n, chunk, chunks, partials, threads;
} ae_workspace;

typedef struct ae_engine {
    const char *name;
    void (*uniform)(double *u, const int *code, ptrdiff_t length);
    void (*chunks)(const ae_plan *plan, const ae_workspace *w, ae_lanes *lanes, ptrdiff_t first,
                   ptrdiff_t last);
} ae_engine;

typedef void ae_row(ptrdiff_t m, double *z, const double *a, const double *b, const double *c);

/* --- plans are checked once, so that running them needs no checks --- */

static int ae_within(ptrdiff_t first, ptrdiff_t stride, ptrdiff_t count, ptrdiff_t limit)
{
    const int64_t last = (int64_t) first + (int64_t) (count - 1) * stride;
    return first >= 0 && first < limit && last >= 0 && last < limit;
}

static int ae_all_within(const int *index, ptrdiff_t count, ptrdiff_t limit)
{
    ptrdiff_t i;
    for (i = 0; i < count && index[i] >= 0 && index[i] < limit; i++)
        ;
    return i == count;
}

/* What is wrong with the instruction c, of whose section `left` ints are left; NULL: nothing. */
static const char *ae_wrong(const ae_plan *plan, int section, const int *c, ptrdiff_t left)
{
    const int op = c[0], body = section == AE_BODY;
    const ptrdiff_t limit = body ? plan->registers : plan->uniforms;
    if (left < 2 || c[1] < 2 || c[1] > left)
        return "its length goes beyond the end";
    if (op <= 0 || op >= AE_OPS || !AE_OPCODES[op].name)
        return "there is no such opcode";
    if ((section == AE_SETUP) != (op == AE_BROADCAST) || (op >= AE_MATRIX && op <= AE_STORE && !body))
        return "it does not belong into this section";
    if (AE_OPCODES[op].arity) {
        if (c[1] != 10 || c[2] < 1)
            return "wrong length or count";
        if (!ae_within(c[3], 1, c[2], limit))
            return "its result is out of bounds";
        for (int i = 0; i < AE_OPCODES[op].arity; i++)
            if (!ae_within(c[4 + 2 * i], c[5 + 2 * i], c[2], limit))
                return "an operand is out of bounds";
    } else if (op < AE_COUNT) {
        if (c[1] < 5 || c[3] < 1 || c[1] != 4 + (int64_t) c[3] * (op == AE_dot ? 2 : 1))
            return "wrong length or number of operands";
        if (c[2] < 0 || c[2] >= limit || !ae_all_within(c + 4, c[1] - 4, limit))
            return "its result or an operand is out of bounds";
    } else if (op == AE_MATRIX || op == AE_OUTER) {
        if (c[1] < 7 || c[2] < 1 || c[3] < 1 || c[1] != 5 + (int64_t) c[2] + c[3])
            return "wrong length or shape";
        if (c[4] < 0 || (op == AE_OUTER ? c[4] + (int64_t) c[2] * c[3] > plan->accumulators
                                        : c[4] + c[2] + (int64_t) c[2] * c[3] > plan->packed))
            return "its weights or accumulators are out of bounds";
        if (!ae_all_within(c + 5, c[1] - 5, limit))
            return "a register is out of bounds";
    } else {
        if (c[1] != 5 || c[2] < 1)
            return "wrong length or count";
        if (!ae_within(c[3], 1, c[2], plan->registers))
            return "a register is out of bounds";
        if (!ae_within(c[4], 1, c[2], op == AE_LOAD    ? plan->in_columns
                                      : op == AE_STORE ? plan->out_columns
                                                       : plan->uniforms))
            return "what it moves is out of bounds";
    }
    return NULL;
}

/* Checks a section, from *at on; what is wrong, if anything, is wrong at *at. `owned`: one byte for
 * each accumulator. Strides that do not matter become 1, by which runs without gaps are told. */
static const char *ae_check(ae_plan *plan, int section, char *owned, ptrdiff_t *at)
{
    const ptrdiff_t length = plan->length[section];
    for (*at = 0; *at < length;) {
        int *c = plan->code[section] + *at;
        const char *wrong = ae_wrong(plan, section, c, length - *at);
        if (wrong)
            return wrong;
        if (c[0] == AE_OUTER)
            for (ptrdiff_t i = 0; i < (ptrdiff_t) c[2] * c[3]; i++) {
                plan->exclusive &= !owned[c[4] + i];
                owned[c[4] + i] = 1;
            }
        if (AE_OPCODES[c[0]].arity)
            for (int i = 0; i < 3; i++) {
                if (i >= AE_OPCODES[c[0]].arity)
                    c[4 + 2 * i] = 0;
                if (i >= AE_OPCODES[c[0]].arity || c[2] == 1)
                    c[5 + 2 * i] = 1;
            }
        *at += c[1];
    }
    return NULL;
}

/* --- the same code for several instruction sets --- */

#define AE_JOIN(a, b) a##_##b
#ifdef AE_DISPATCH
#ifdef __clang__
#define AE_TEXT(x) #x
#define AE_TARGET(features) \
    _Pragma(AE_TEXT(clang attribute push(__attribute__((target(features))), apply_to = function)))
#endif

#ifdef __clang__
AE_TARGET("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma,bmi,bmi2")
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma,bmi,bmi2", \
                   "prefer-vector-width=512")
#endif
#define AE_NAME(x) AE_JOIN(x, avx512)
#define AE_ENGINE "avx512"
#define AE_WIDTH 8 /* numbers in a vector */
#define AE_WIDE 4  /* vectors of lanes at a time where there are that many; outputs of MATRIX at a time then */
#define AE_WIDE_J 6
#define AE_SLIM 1
#define AE_SLIM_J 8
#define AE_OUTER_J 4
#define AE_OUTER_K 6
#define AE_FMA_SCALAR __builtin_fma
typedef __m512d ae_vector_avx512;
#define AE_SET _mm512_set1_pd
#define AE_FMA _mm512_fmadd_pd
#include "_engine.h"
#ifdef __clang__
#pragma clang attribute pop
AE_TARGET("avx2,fma,bmi,bmi2")
#else
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("avx2,fma,bmi,bmi2")
#endif
#define AE_NAME(x) AE_JOIN(x, avx2)
#define AE_ENGINE "avx2"
#define AE_WIDTH 4
#define AE_WIDE 2
#define AE_WIDE_J 6
#define AE_SLIM 2
#define AE_SLIM_J 6
#define AE_OUTER_J 3
#define AE_OUTER_K 4
#define AE_FMA_SCALAR __builtin_fma
typedef __m256d ae_vector_avx2;
#define AE_SET _mm256_set1_pd
#define AE_FMA _mm256_fmadd_pd
#include "_engine.h"
#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif

#define AE_NAME(x) AE_JOIN(x, plain)
#define AE_ENGINE "plain"
#define AE_WIDE 2
#define AE_WIDE_J 4
#define AE_SLIM 2
#define AE_SLIM_J 4
#define AE_OUTER_J 3
#define AE_OUTER_K 4
#if defined(__GNUC__) && defined(__x86_64__)
#define AE_WIDTH 2
typedef __m128d ae_vector_plain;
#define AE_SET _mm_set1_pd
#elif defined(__GNUC__) && defined(__aarch64__)
#define AE_WIDTH 2
typedef float64x2_t ae_vector_plain;
#define AE_SET vdupq_n_f64
#define AE_FMA(a, b, c) vfmaq_f64(c, a, b)
#define AE_FMA_SCALAR __builtin_fma
#else
#define AE_WIDTH 1
typedef double ae_vector_plain;
#define AE_SET(x) (x)
#endif
#ifndef AE_FMA
#define AE_FMA(a, b, c) ((a) * (b) + (c))
#define AE_FMA_SCALAR(a, b, c) ((a) * (b) + (c))
#endif
#include "_engine.h"

/* The engines that this processor can run, the best one first, then NULL. */
static const ae_engine *const *ae_engines(void)
{
    static const ae_engine *found[4];
    int n = 0;
#ifdef AE_DISPATCH
    __builtin_cpu_init();
#define AE_HAS(feature) __builtin_cpu_supports(feature)
    const int avx2 = AE_HAS("avx2") && AE_HAS("fma") && AE_HAS("bmi") && AE_HAS("bmi2");
    if (avx2 && AE_HAS("avx512f") && AE_HAS("avx512vl") && AE_HAS("avx512dq") && AE_HAS("avx512bw"))
        found[n++] = &engine_avx512;
    if (avx2)
        found[n++] = &engine_avx2;
#endif
    found[n] = &engine_plain;
    return found;
}

/* --- a call --- */

static void *ae_aligned(void **memory, size_t doubles)
{
    *memory = malloc(doubles * sizeof(double) + 64);
    return *memory ? (void *) (((uintptr_t) *memory + 63) & ~(uintptr_t) 63) : NULL;
}

static void ae_free_workspace(ae_workspace *w)
{
    for (ptrdiff_t i = 0; w->lanes && i < w->threads; i++)
        free(w->lanes[i].memory);
    free(w->lanes), free(w->partial), free(w->in), free(w->u), free(w);
}

static ae_workspace *ae_new_workspace(const ae_plan *plan)
{
    ae_workspace *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->u = malloc((plan->uniforms + plan->packed + 1) * sizeof(double));
    w->in = calloc(plan->in_columns + plan->out_columns + 1, sizeof(ae_column));
    if (!w->u || !w->in) {
        ae_free_workspace(w);
        return NULL;
    }
    memcpy(w->u, plan->start, plan->uniforms * sizeof(double));
    w->p = w->u + plan->uniforms;
    w->out = w->in + plan->in_columns;
    return w;
}

/* Makes w ready for n lanes and so many threads; 0: no memory. */
static int ae_begin(const ae_plan *plan, ae_workspace *w, ptrdiff_t n, ptrdiff_t threads)
{
    const ptrdiff_t block = plan->block, most = 1024 * (n / 65536 + (n % 65536 != 0)); /* <= 64 chunks */
    const ptrdiff_t chunk = (most + block - 1) / block * block;
    w->n = n;
    w->chunk = chunk;
    w->chunks = plan->length[AE_BODY] ? n / chunk + (n % chunk != 0) : 0;
    if (w->chunks * plan->accumulators > w->partials) {
        free(w->partial);
        w->partials = w->chunks * plan->accumulators;
        w->partial = calloc(w->partials, sizeof(double));
        if (!w->partial)
            return w->partials = 0;
    }
    threads = threads < w->chunks ? threads : w->chunks;
    if (threads > w->threads) {
        ae_lanes *more = realloc(w->lanes, threads * sizeof *more);
        if (!more)
            return 0;
        for (w->lanes = more; w->threads < threads; w->threads++) {
            ae_lanes *one = more + w->threads;
            if (!(one->r = ae_aligned(&one->memory, plan->registers * block + plan->accumulators * 8)))
                return 0;
            one->a = one->r + plan->registers * block;
            memset(one->a, 0, plan->accumulators * 8 * sizeof(double));
        }
    }
    return 1;
}

static void ae_prologue(const ae_plan *plan, ae_workspace *w)
{
    if (plan->size >= 0)
        w->u[plan->size] = (double) w->n;
    plan->engine->uniform(w->u, plan->code[AE_PROLOGUE], plan->length[AE_PROLOGUE]);
    for (ptrdiff_t i = 0; i < plan->packed; i++)
        w->p[i] = w->u[plan->pack[i]];
}

static void ae_epilogue(const ae_plan *plan, ae_workspace *w)
{
    const ptrdiff_t sums = plan->accumulators;
    double *total = w->u + plan->sums;
    for (ptrdiff_t i = 0; i < sums; i++)
        total[i] = w->chunks ? w->partial[i] : 0.0;
    for (ptrdiff_t chunk = 1; chunk < w->chunks; chunk++)
        for (ptrdiff_t i = 0; i < sums; i++)
            total[i] += w->partial[chunk * sums + i];
    plan->engine->uniform(w->u, plan->code[AE_EPILOGUE], plan->length[AE_EPILOGUE]);
}
