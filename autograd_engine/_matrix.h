/* MATRIX and OUTER, for one instruction set: `_engine.h` includes this.
 *
 * Both work in tiles: as many results at a time as there are vector registers to hold them, so that
 * every number that is read takes part in several products. Neighbouring tiles have nearly the same
 * size: 17 are 6 + 6 + 5. The order in which one result adds its products does not depend on tiles.
 */

/* `count` outputs of MATRIX, from number j on, in lanes at+0 ... */
AE_TILE AE_NAME(matrix_tile)(const int count, const int vectors, const int *c, const double *p,
                             double *r, ptrdiff_t w, ptrdiff_t j, ptrdiff_t at)
{
    AE_VECTOR z[AE_WIDE_J > AE_SLIM_J ? AE_WIDE_J : AE_SLIM_J][AE_WIDE], x[AE_WIDE];
    const ptrdiff_t J = c[2], K = c[3];
    const int *outs = c + 5 + j, *xs = c + 5 + J;
    AE_UNROLL for (int m = 0; m < count; m++)
        AE_UNROLL for (int i = 0; i < vectors; i++)
            z[m][i] = AE_SET(p[j + m]);
    for (ptrdiff_t k = 0; k < K; k++) {
        const double *from = r + xs[k] * w + at, *weights = p + (k + 1) * J + j;
        AE_UNROLL for (int i = 0; i < vectors; i++)
            x[i] = AE_AT(from + i * AE_WIDTH);
        AE_UNROLL for (int m = 0; m < count; m++) {
            const AE_VECTOR weight = AE_SET(weights[m]);
            AE_UNROLL for (int i = 0; i < vectors; i++)
                z[m][i] = AE_FMA(weight, x[i], z[m][i]);
        }
    }
    AE_UNROLL for (int m = 0; m < count; m++)
        AE_UNROLL for (int i = 0; i < vectors; i++)
            AE_AT(r + outs[m] * w + at + i * AE_WIDTH) = z[m][i];
}

AE_INLINE void AE_NAME(matrix_lanes)(const int most, const int vectors, const int *c, const double *p,
                                     double *r, ptrdiff_t w, ptrdiff_t at)
{
    const ptrdiff_t J = c[2];
    ptrdiff_t tiles = (J + most - 1) / most, j = 0;
    for (; tiles > 0; tiles--) {
        const ptrdiff_t count = (J - j + tiles - 1) / tiles;
        switch (count) {
#define AE_CASE(m) case m: AE_NAME(matrix_tile)(m, vectors, c, p, r, w, j, at); break;
        AE_CASE(1) AE_CASE(2) AE_CASE(3) default: AE_CASE(4)
#if AE_SLIM_J > 4
        AE_CASE(5) AE_CASE(6)
#endif
#if AE_SLIM_J > 6
#undef AE_CASE
#define AE_CASE(m) case m: if (m <= most) AE_NAME(matrix_tile)(m, vectors, c, p, r, w, j, at); break;
        AE_CASE(7) AE_CASE(8)
#endif
#undef AE_CASE
        }
        j += count;
    }
}

static void AE_NAME(matrix)(const int *c, const double *p, double *r, ptrdiff_t w)
{
    ptrdiff_t at = 0;
    for (; at + AE_WIDE * AE_WIDTH <= w; at += AE_WIDE * AE_WIDTH)
        AE_NAME(matrix_lanes)(AE_WIDE_J, AE_WIDE, c, p, r, w, at);
#if AE_SLIM * AE_WIDTH < 8 || AE_WIDE > AE_SLIM
    for (; at < w; at += AE_SLIM * AE_WIDTH)
        AE_NAME(matrix_lanes)(AE_SLIM_J, AE_SLIM, c, p, r, w, at);
#endif
}

/* The 8 sums of each accumulator together: the halves, then their halves, then the last two. */
static void AE_NAME(add_up)(ptrdiff_t count, const double *a, double *total)
{
    double pairs[128];
#if AE_WIDTH == 8
#define AE_HALVES(x, y, at) _mm512_insertf64x4(_mm512_castpd256_pd512(_mm256_load_pd(a + 8 * x + at)), \
                                               _mm256_load_pd(a + 8 * y + at), 1)
#define AE_ADD(join, first, second, x, y) (join(x, y, first) + join(x, y, second))
#define AE_QUARTERS(v, w, x, y) AE_ADD(_mm512_shuffle_f64x2, 0x88, 0xdd, AE_ADD(AE_HALVES, 0, 4, v, w), \
                                       AE_ADD(AE_HALVES, 0, 4, x, y))
    for (; count >= 8; count -= 8, a += 64, total += 8) { /* eight accumulators in one vector */
        const __m512d even = AE_QUARTERS(0, 2, 4, 6), odd = AE_QUARTERS(1, 3, 5, 7);
        _mm512_storeu_pd(total, _mm512_unpacklo_pd(even, odd) + _mm512_unpackhi_pd(even, odd));
    }
#endif
    for (ptrdiff_t done = 0; done < count; done += 64, total += 64) {
        const ptrdiff_t some = count - done < 64 ? count - done : 64;
        for (ptrdiff_t i = 0; i < some; i++, a += 8) {
            AE_ONE_BY_ONE;
            for (int k = 0; k < 2; k++)
                pairs[2 * i + k] = (a[k] + a[k + 4]) + (a[k + 2] + a[k + 6]);
        }
        for (ptrdiff_t i = 0; i < some; i++)
            total[i] = pairs[2 * i] + pairs[2 * i + 1];
    }
}

/* OUTER: count x many sums of products, from (j, k) on. a: the accumulators of row j, which start
 * at 0 where `fresh`. */
AE_TILE AE_NAME(outer_tile)(const int count, const int many, const int *c, double *a, const double *r,
                            ptrdiff_t w, ptrdiff_t j, ptrdiff_t k, int fresh)
{
    const ptrdiff_t J = c[2], K = c[3];
    a += k * 8;
    for (int part = 0; part < 8; part += AE_WIDTH) {
        AE_VECTOR z[AE_OUTER_J][AE_OUTER_K];
        const double *x[AE_OUTER_J], *y[AE_OUTER_K];
        AE_UNROLL for (int m = 0; m < count; m++)
            x[m] = r + c[5 + j + m] * w;
        AE_UNROLL for (int i = 0; i < many; i++)
            y[i] = r + c[5 + J + k + i] * w;
        AE_UNROLL for (int m = 0; m < count; m++)
            AE_UNROLL for (int i = 0; i < many; i++)
                z[m][i] = fresh ? AE_SET(0.0) : AE_AT(a + (m * K + i) * 8 + part);
        for (ptrdiff_t at = part; at < w; at += 8) {
            AE_VECTOR b[AE_OUTER_K];
            AE_UNROLL for (int i = 0; i < many; i++)
                b[i] = AE_AT(y[i] + at);
            AE_UNROLL for (int m = 0; m < count; m++) {
                const AE_VECTOR left = AE_AT(x[m] + at);
                AE_UNROLL for (int i = 0; i < many; i++)
                    z[m][i] = AE_FMA(left, b[i], z[m][i]);
            }
        }
        AE_UNROLL for (int m = 0; m < count; m++)
            AE_UNROLL for (int i = 0; i < many; i++)
                AE_AT(a + (m * K + i) * 8 + part) = z[m][i];
    }
}

AE_INLINE void AE_NAME(outer_row)(const int count, const int *c, double *a, const double *r, ptrdiff_t w,
                                  ptrdiff_t j, int fresh)
{
    const ptrdiff_t K = c[3];
    ptrdiff_t tiles = (K + AE_OUTER_K - 1) / AE_OUTER_K, k = 0;
    for (; tiles > 0; tiles--) {
        const ptrdiff_t many = (K - k + tiles - 1) / tiles;
        switch (many) {
#define AE_CASE(m) case m: AE_NAME(outer_tile)(count, m, c, a, r, w, j, k, fresh); break;
        AE_CASE(1) AE_CASE(2) AE_CASE(3) default: AE_CASE(4)
#if AE_OUTER_K > 4
        AE_CASE(5) AE_CASE(6)
#endif
#undef AE_CASE
        }
        k += many;
    }
}

/* OUTER where there is only one block, of 8 lanes, n of them (or a power of 2 above) not 0: there
 * are no accumulators then; vectors are of sums, side by side, instead of lanes. */
AE_TILE AE_NAME(outer_octet)(const int n, const int *c, const double *r, double *total)
{
    const ptrdiff_t J = c[2], K = c[3];
    double y[8][64];
    for (ptrdiff_t done = 0; done < K; done += 64) {
        const ptrdiff_t some = K - done < 64 ? K - done : 64;
        for (ptrdiff_t k = 0; k < some; k++)
            AE_UNROLL for (int l = 0; l < n; l++)
                y[l][k] = r[c[5 + J + done + k] * 8 + l];
        for (ptrdiff_t j = 0; j < J; j++) {
            const double *x = r + c[5 + j] * 8;
            double *z = total + j * K + done;
            AE_INDEPENDENT for (ptrdiff_t k = 0; k < some; k++) {
                double part[8];
                AE_UNROLL for (int l = 0; l < n; l++)
                    part[l] = x[l] * y[l][k] + 0.0; /* as an accumulator: never -0 */
                AE_UNROLL for (int half = n / 2; half > 0; half /= 2) /* as add_up does */
                    AE_UNROLL for (int l = 0; l < half; l++)
                        part[l] += part[l + half];
                z[k] = part[0];
            }
        }
    }
}

/* `total`: where the sums go after the last block, else NULL. */
static void AE_NAME(outer)(const int *c, double *a, const double *r, ptrdiff_t w, ptrdiff_t n,
                           int fresh, double *total)
{
    const ptrdiff_t J = c[2], K = c[3];
    ptrdiff_t tiles = (J + AE_OUTER_J - 1) / AE_OUTER_J, j = 0;
    if (fresh && total && w == 8) {
        switch (n) {
        case 1: AE_NAME(outer_octet)(1, c, r, total + c[4]); return;
        case 2: AE_NAME(outer_octet)(2, c, r, total + c[4]); return;
        case 3: case 4: AE_NAME(outer_octet)(4, c, r, total + c[4]); return;
        default: AE_NAME(outer_octet)(8, c, r, total + c[4]); return;
        }
    }
    for (; tiles > 0; tiles--) {
        const ptrdiff_t count = (J - j + tiles - 1) / tiles;
        double *row = a + (c[4] + j * K) * 8;
        if (fresh && total)
            row = a; /* a place in the cache: nobody asks for them later */
        switch (count) {
#define AE_CASE(m) case m: AE_NAME(outer_row)(m, c, row, r, w, j, fresh); break;
        AE_CASE(1) AE_CASE(2) default: AE_CASE(3)
#if AE_OUTER_J > 3
        AE_CASE(4)
#endif
#undef AE_CASE
        }
        if (total)
            AE_NAME(add_up)(count * K, row, total + c[4] + j * K);
        j += count;
    }
}
