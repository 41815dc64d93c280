/* The engine that runs code, for one instruction set: `_executor.h` includes this once for each.
 *
 * AE_NAME(x), AE_ENGINE  x with the name of the instruction set, and that name
 * AE_WIDTH               numbers in an ae_vector; AE_SET(x) is one with x everywhere,
 * AE_FMA(a, b, c)        a*b + c, rounded once where the processor can; AE_FMA_SCALAR: of numbers
 * AE_WIDE, AE_WIDE_J     MATRIX computes that many vectors of lanes for that many outputs at a time,
 * AE_SLIM, AE_SLIM_J     and these where so many lanes are not left; AE_SLIM divides 8 / AE_WIDTH
 * AE_OUTER_J, AE_OUTER_K products of OUTER at a time, 8 sums each
 */

#define AE_VECTOR AE_NAME(ae_vector)
#define AE_AT(p) (*(AE_VECTOR *) (p)) /* the vector that stands at p, a multiple of its size */

/* One function for each row: z[i] = row(a[i], b[i], c[i]). z may be one of the operands. */
#define AE_DEFINE(row, value) \
    AE_FLAT void AE_NAME(row)(ptrdiff_t m, double *z, const double *a, const double *b, const double *c) \
    { \
        const ptrdiff_t octets = m & ~(ptrdiff_t) 7; \
        ptrdiff_t i; \
        AE_INDEPENDENT for (i = 0; i < octets; i++) z[i] = value; \
        for (; i < m; i++) { \
            AE_ONE_BY_ONE; \
            z[i] = value; \
        } \
    }
#define AE_ROW(row) AE_DEFINE(row_##row, ae_##row(a[i]))
AE_UNARY(AE_ROW)
#undef AE_ROW
#define AE_ROW(row) AE_DEFINE(row_##row, ae_##row(a[i], b[i]))
AE_BINARY(AE_ROW)
#undef AE_ROW
#define AE_ROW(row, sign) AE_DEFINE(row_##row, (double) (a[i] sign b[i]))
AE_LESS(AE_ROW)
#undef AE_ROW
AE_DEFINE(row_where, ae_where(a[i], b[i], c[i]))

#define AE_ROW(row, ...) [AE_##row] = AE_NAME(row_##row), /* not of the rows over sequences */
static ae_row *const AE_NAME(rows)[AE_OPS] = {
    AE_UNARY(AE_ROW) AE_BINARY(AE_ROW) AE_LESS(AE_ROW) AE_ROW(where, )
};
#undef AE_ROW

/* --- uniform code --- */

/* One after the other; of 16 products and more 8 sums, by k % 8, which do not wait for each other. */
AE_INLINE double AE_NAME(dot)(const double *u, ptrdiff_t n, const int *x, const int *y)
{
    double sums[8], z = u[x[0]] * u[y[0]];
    ptrdiff_t k = 1;
    if (n >= 16) {
        for (int i = 0; i < 8; i++)
            sums[i] = u[x[i]] * u[y[i]];
        for (k = 8; k + 8 <= n; k += 8)
            for (int i = 0; i < 8; i++)
                sums[i] = AE_FMA_SCALAR(u[x[k + i]], u[y[k + i]], sums[i]);
        z = ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
    }
    for (; k < n; k++)
        z = AE_FMA_SCALAR(u[x[k]], u[y[k]], z);
    return z;
}

AE_FLAT double AE_NAME(nary)(const double *u, int op, ptrdiff_t n, const int *index)
{
    double z = u[index[0]], shift;
    switch (op) {
    case AE_dot:
        return AE_NAME(dot)(u, n, index, index + n);
    case AE_logsumexp:
        for (ptrdiff_t i = 1; i < n; i++)
            z = ae_maximum(z, u[index[i]]);
        shift = (z - z) == 0.0 ? z : 0.0;
        z = ae_exp(u[index[0]] - shift);
        for (ptrdiff_t i = 1; i < n; i++)
            z = z + ae_exp(u[index[i]] - shift);
        return shift + ae_log(z);
    default:
        for (ptrdiff_t i = 1; i < n; i++)
            z = z + u[index[i]];
        return op == AE_mean ? z / (double) n : z;
    }
}

/* Operands with gaps, or one number for all, become runs, which are 64 numbers long at most. */
static void AE_NAME(in_runs)(ae_row *row, double *u, const int *c)
{
    double runs[3][64];
    for (ptrdiff_t done = 0; done < c[2]; done += 64) {
        const ptrdiff_t count = c[2] - done < 64 ? c[2] - done : 64;
        const double *x[3];
        for (int k = 0; k < 3; k++) {
            const ptrdiff_t stride = c[5 + 2 * k];
            const double *from = u + c[4 + 2 * k] + done * stride;
            x[k] = stride == 1 ? from : runs[k];
            if (stride != 1 && (stride != 0 || done == 0))
                for (ptrdiff_t i = 0; i < count; i++)
                    runs[k][i] = from[i * stride];
        }
        row(count, u + c[3] + done, x[0], x[1], x[2]);
    }
}

static void AE_NAME(uniform)(double *u, const int *code, ptrdiff_t length)
{
    for (const int *c = code; c < code + length; c += c[1]) {
        ae_row *const row = AE_NAME(rows)[c[0]];
        if (!row)
            u[c[2]] = AE_NAME(nary)(u, c[0], c[3], c + 4);
        else if (c[5] == 1 && c[7] == 1 && c[9] == 1)
            row(c[2], u + c[3], u + c[4], u + c[6], u + c[8]);
        else
            AE_NAME(in_runs)(row, u, c);
    }
}

/* --- the body: lanes --- */

#define AE_TILE AE_INLINE void /* called with constants: arrays stay in vector registers */

/* Lanes at+0 ... of out = x_0 + x_1 + ..., divided by n for the mean. */
AE_TILE AE_NAME(sum_tile)(const int vectors, ptrdiff_t n, const int *index, double *r, ptrdiff_t w,
                          ptrdiff_t at, double *out, int mean)
{
    AE_VECTOR z[AE_WIDE];
    AE_UNROLL for (int i = 0; i < vectors; i++)
        z[i] = AE_AT(r + index[0] * w + at + i * AE_WIDTH);
    for (ptrdiff_t k = 1; k < n; k++)
        AE_UNROLL for (int i = 0; i < vectors; i++)
            z[i] = z[i] + AE_AT(r + index[k] * w + at + i * AE_WIDTH);
    if (mean)
        AE_UNROLL for (int i = 0; i < vectors; i++)
            z[i] = z[i] / AE_SET((double) n);
    AE_UNROLL for (int i = 0; i < vectors; i++)
        AE_AT(out + at + i * AE_WIDTH) = z[i];
}

/* = w_0 x_0 + w_1 x_1 + ... */
AE_TILE AE_NAME(dot_tile)(const int vectors, ptrdiff_t n, const int *index, double *r, ptrdiff_t w,
                          ptrdiff_t at, double *out)
{
    AE_VECTOR z[AE_WIDE];
    const double *x = r + index[0] * w + at, *y = r + index[n] * w + at;
    AE_UNROLL for (int i = 0; i < vectors; i++)
        z[i] = AE_AT(x + i * AE_WIDTH) * AE_AT(y + i * AE_WIDTH);
    for (ptrdiff_t k = 1; k < n; k++) {
        x = r + index[k] * w + at;
        y = r + index[n + k] * w + at;
        AE_UNROLL for (int i = 0; i < vectors; i++)
            z[i] = AE_FMA(AE_AT(x + i * AE_WIDTH), AE_AT(y + i * AE_WIDTH), z[i]);
    }
    AE_UNROLL for (int i = 0; i < vectors; i++)
        AE_AT(out + at + i * AE_WIDTH) = z[i];
}

/* logsumexp in 8 lanes */
AE_TILE AE_NAME(logsumexp_tile)(ptrdiff_t n, const int *index, double *r, ptrdiff_t w, ptrdiff_t at,
                                double *out)
{
    double most[8], shift[8], z[8];
    memcpy(most, r + index[0] * w + at, sizeof most);
    for (ptrdiff_t k = 1; k < n; k++)
        for (int i = 0; i < 8; i++)
            most[i] = ae_maximum(most[i], r[index[k] * w + at + i]);
    for (int i = 0; i < 8; i++) {
        shift[i] = (most[i] - most[i]) == 0.0 ? most[i] : 0.0;
        z[i] = ae_exp(r[index[0] * w + at + i] - shift[i]);
    }
    for (ptrdiff_t k = 1; k < n; k++)
        for (int i = 0; i < 8; i++)
            z[i] = z[i] + ae_exp(r[index[k] * w + at + i] - shift[i]);
    for (int i = 0; i < 8; i++)
        out[at + i] = shift[i] + ae_log(z[i]);
}

AE_FLAT void AE_NAME(nary_lanes)(double *r, ptrdiff_t w, int op, ptrdiff_t n, const int *index, double *out)
{
    ptrdiff_t at = 0;
    if (op == AE_logsumexp) {
        for (; at < w; at += 8)
            AE_NAME(logsumexp_tile)(n, index, r, w, at, out);
    } else if (op == AE_dot) {
        for (; at + AE_WIDE * AE_WIDTH <= w; at += AE_WIDE * AE_WIDTH)
            AE_NAME(dot_tile)(AE_WIDE, n, index, r, w, at, out);
        for (; at < w; at += AE_SLIM * AE_WIDTH)
            AE_NAME(dot_tile)(AE_SLIM, n, index, r, w, at, out);
    } else {
        for (; at + AE_WIDE * AE_WIDTH <= w; at += AE_WIDE * AE_WIDTH)
            AE_NAME(sum_tile)(AE_WIDE, n, index, r, w, at, out, op == AE_mean);
        for (; at < w; at += AE_SLIM * AE_WIDTH)
            AE_NAME(sum_tile)(AE_SLIM, n, index, r, w, at, out, op == AE_mean);
    }
}

#include "_matrix.h"

/* Columns may have any stride; lanes beyond the last sample get its number. */
static void AE_NAME(load)(const int *c, const ae_column *column, double *r, ptrdiff_t w,
                          ptrdiff_t first, ptrdiff_t n)
{
    column += c[4];
    r += c[3] * w;
    for (int i = 0; i < c[2]; i++, column++, r += w) {
        const ptrdiff_t stride = column->stride;
        const char *from = column->data + first * stride;
        if (stride == sizeof(double))
            memcpy(r, from, n * sizeof(double));
        else
            for (ptrdiff_t l = 0; l < n; l++)
                memcpy(r + l, from + l * stride, sizeof(double));
        for (ptrdiff_t l = n; l < w; l++)
            r[l] = r[n - 1];
    }
}

static void AE_NAME(store)(const int *c, const ae_column *column, const double *r, ptrdiff_t w,
                           ptrdiff_t first, ptrdiff_t n)
{
    column += c[4];
    r += c[3] * w;
    for (int i = 0; i < c[2]; i++, column++, r += w) {
        const ptrdiff_t stride = column->stride;
        char *to = column->data + first * stride;
        if (stride == sizeof(double))
            memcpy(to, r, n * sizeof(double));
        else
            for (ptrdiff_t l = 0; l < n; l++)
                memcpy(to + l * stride, r + l, sizeof(double));
    }
}

/* Lanes n ... w-1 of registers become 0, which adds nothing to a sum whatever they held. */
static void AE_NAME(clear)(const int *index, ptrdiff_t count, double *r, ptrdiff_t w, ptrdiff_t n)
{
    for (ptrdiff_t k = 0; k < count; k++) {
        double *octet = r + index[k] * w + w - 8; /* w is the next multiple of 8 from n on */
        for (ptrdiff_t i = 0; i < 8; i++)
            octet[i] = i < n - (w - 8) ? octet[i] : 0.0;
    }
}

/* Runs the body on lanes first ... first + n - 1, in registers of w >= n lanes. */
static void AE_NAME(body)(const ae_plan *plan, const ae_workspace *work, const ae_lanes *lanes,
                          ptrdiff_t w, ptrdiff_t first, ptrdiff_t n, int fresh, double *total)
{
    const int *c = plan->code[AE_BODY], *const end = c + plan->length[AE_BODY];
    double *const r = lanes->r;
    for (; c < end; c += c[1]) {
        ae_row *const row = AE_NAME(rows)[c[0]];
        if (row && c[5] == 1 && c[7] == 1 && c[9] == 1)
            row(c[2] * w, r + c[3] * w, r + c[4] * w, r + c[6] * w, r + c[8] * w);
        else if (row)
            for (ptrdiff_t i = 0; i < c[2]; i++)
                row(w, r + (c[3] + i) * w, r + (c[4] + i * c[5]) * w, r + (c[6] + i * c[7]) * w,
                    r + (c[8] + i * c[9]) * w);
        else if (c[0] == AE_MATRIX)
            AE_NAME(matrix)(c, work->p + c[4], r, w);
        else if (c[0] == AE_OUTER) {
            if (n < w)
                AE_NAME(clear)(c + 5, c[1] - 5, r, w, n);
            AE_NAME(outer)(c, lanes->a, r, w, n, fresh, total);
        } else if (c[0] == AE_LOAD)
            AE_NAME(load)(c, work->in, r, w, first, n);
        else if (c[0] == AE_STORE)
            AE_NAME(store)(c, work->out, r, w, first, n);
        else
            AE_NAME(nary_lanes)(r, w, c[0], c[3], c + 4, r + c[2] * w);
    }
}

static void AE_NAME(setup)(const ae_plan *plan, const double *u, double *r, ptrdiff_t w)
{
    const int *c = plan->code[AE_SETUP], *const end = c + plan->length[AE_SETUP];
    for (; c < end; c += c[1])
        for (ptrdiff_t i = 0; i < c[2]; i++)
            for (ptrdiff_t l = 0; l < w; l++)
                r[(c[3] + i) * w + l] = u[c[4] + i];
}

static void AE_NAME(chunks)(const ae_plan *plan, const ae_workspace *work, ae_lanes *lanes,
                            ptrdiff_t first, ptrdiff_t last)
{
    const ptrdiff_t sums = plan->accumulators;
    ptrdiff_t ready = 0; /* width for which setup was run */
    for (ptrdiff_t chunk = first; chunk < last; chunk++) {
        const ptrdiff_t start = chunk * work->chunk;
        const ptrdiff_t stop = work->n - start < work->chunk ? work->n : start + work->chunk;
        double *const total = work->partial + chunk * sums;
        if (!plan->exclusive)
            memset(lanes->a, 0, sums * 8 * sizeof(double));
        for (ptrdiff_t at = start; at < stop; at += plan->block) {
            const ptrdiff_t n = stop - at < plan->block ? stop - at : plan->block;
            const ptrdiff_t w = (n + 7) & ~(ptrdiff_t) 7;
            if (w != ready)
                AE_NAME(setup)(plan, work->u, lanes->r, w);
            AE_NAME(body)(plan, work, lanes, ready = w, at, n, plan->exclusive && at == start,
                          plan->exclusive && at + n == stop ? total : NULL);
        }
        if (!plan->exclusive)
            AE_NAME(add_up)(sums, lanes->a, total);
    }
}

static const ae_engine AE_NAME(engine) = {AE_ENGINE, AE_NAME(uniform), AE_NAME(chunks)};

#undef AE_NAME
#undef AE_ENGINE
#undef AE_VECTOR
#undef AE_AT
#undef AE_DEFINE
#undef AE_TILE
#undef AE_WIDTH
#undef AE_WIDE
#undef AE_WIDE_J
#undef AE_SLIM
#undef AE_SLIM_J
#undef AE_OUTER_J
#undef AE_OUTER_K
#undef AE_SET
#undef AE_FMA
#undef AE_FMA_SCALAR
