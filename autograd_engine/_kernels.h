/* Made by `python -m autograd_engine.codegen` from primitives.py; do not edit.
 *
 * ae_tanh(x)              the primal, and for rows over sequences ae_dot(n, w, x)
 * ae_tanh_d0(z, x)        its local derivative by operand 0, at the result z
 * AE_KERNELS[AE_tanh]     both in one call: run(n, x, &z, d); n is the length of the sequences
 */
#include <math.h>
#include <stddef.h>

static inline double ae_add(double x, double y);
static inline double ae_add_d0(double z, double x, double y);
static inline double ae_add_d1(double z, double x, double y);
static inline double ae_sub(double x, double y);
static inline double ae_sub_d0(double z, double x, double y);
static inline double ae_sub_d1(double z, double x, double y);
static inline double ae_mul(double x, double y);
static inline double ae_mul_d0(double z, double x, double y);
static inline double ae_mul_d1(double z, double x, double y);
static inline double ae_div(double x, double y);
static inline double ae_div_d0(double z, double x, double y);
static inline double ae_div_d1(double z, double x, double y);
static inline double ae_pow(double x, double y);
static inline double ae_pow_d0(double z, double x, double y);
static inline double ae_pow_d1(double z, double x, double y);
static inline double ae_neg(double x);
static inline double ae_neg_d0(double z, double x);
static inline double ae_square(double x);
static inline double ae_square_d0(double z, double x);
static inline double ae_sqrt(double x);
static inline double ae_sqrt_d0(double z, double x);
static inline double ae_cbrt(double x);
static inline double ae_cbrt_d0(double z, double x);
static inline double ae_hypot(double x, double y);
static inline double ae_hypot_d0(double z, double x, double y);
static inline double ae_hypot_d1(double z, double x, double y);
static inline double ae_where(double c, double x, double y);
static inline double ae_where_d0(double z, double c, double x, double y);
static inline double ae_where_d1(double z, double c, double x, double y);
static inline double ae_where_d2(double z, double c, double x, double y);
static inline double ae_sign(double x);
static inline double ae_sign_d0(double z, double x);
static inline double ae_heaviside(double x);
static inline double ae_heaviside_d0(double z, double x);
static inline double ae_abs(double x);
static inline double ae_abs_d0(double z, double x);
static inline double ae_maximum(double x, double y);
static inline double ae_maximum_d0(double z, double x, double y);
static inline double ae_maximum_d1(double z, double x, double y);
static inline double ae_minimum(double x, double y);
static inline double ae_minimum_d0(double z, double x, double y);
static inline double ae_minimum_d1(double z, double x, double y);
static inline double ae_exp(double x);
static inline double ae_exp_d0(double z, double x);
static inline double ae_expm1(double x);
static inline double ae_expm1_d0(double z, double x);
static inline double ae_log(double x);
static inline double ae_log_d0(double z, double x);
static inline double ae_log1p(double x);
static inline double ae_log1p_d0(double z, double x);
static inline double ae_log2(double x);
static inline double ae_log2_d0(double z, double x);
static inline double ae_log10(double x);
static inline double ae_log10_d0(double z, double x);
static inline double ae_exp_difference(double x, double y);
static inline double ae_exp_difference_d0(double z, double x, double y);
static inline double ae_exp_difference_d1(double z, double x, double y);
static inline double ae_logaddexp(double x, double y);
static inline double ae_logaddexp_d0(double z, double x, double y);
static inline double ae_logaddexp_d1(double z, double x, double y);
static inline double ae_sin(double x);
static inline double ae_sin_d0(double z, double x);
static inline double ae_cos(double x);
static inline double ae_cos_d0(double z, double x);
static inline double ae_tan(double x);
static inline double ae_tan_d0(double z, double x);
static inline double ae_asin(double x);
static inline double ae_asin_d0(double z, double x);
static inline double ae_acos(double x);
static inline double ae_acos_d0(double z, double x);
static inline double ae_atan(double x);
static inline double ae_atan_d0(double z, double x);
static inline double ae_atan2(double y, double x);
static inline double ae_atan2_d0(double z, double y, double x);
static inline double ae_atan2_d1(double z, double y, double x);
static inline double ae_sinh(double x);
static inline double ae_sinh_d0(double z, double x);
static inline double ae_cosh(double x);
static inline double ae_cosh_d0(double z, double x);
static inline double ae_tanh(double x);
static inline double ae_tanh_d0(double z, double x);
static inline double ae_asinh(double x);
static inline double ae_asinh_d0(double z, double x);
static inline double ae_acosh(double x);
static inline double ae_acosh_d0(double z, double x);
static inline double ae_atanh(double x);
static inline double ae_atanh_d0(double z, double x);
static inline double ae_erf(double x);
static inline double ae_erf_d0(double z, double x);
static inline double ae_sigmoid(double x);
static inline double ae_sigmoid_d0(double z, double x);
static inline double ae_softplus(double x);
static inline double ae_softplus_d0(double z, double x);
static inline double ae_relu(double x);
static inline double ae_relu_d0(double z, double x);
static inline double ae_leaky_relu(double x);
static inline double ae_leaky_relu_d0(double z, double x);
static inline double ae_elu(double x);
static inline double ae_elu_d0(double z, double x);
static inline double ae_gelu(double x);
static inline double ae_gelu_d0(double z, double x);
static inline double ae_silu(double x);
static inline double ae_silu_d0(double z, double x);
static inline double ae_mish(double x);
static inline double ae_mish_d0(double z, double x);
static inline double ae_sum(ptrdiff_t n, const double *xs);
static void ae_sum_d0(double z, ptrdiff_t n, const double *xs, double *d);
static inline double ae_mean(ptrdiff_t n, const double *xs);
static void ae_mean_d0(double z, ptrdiff_t n, const double *xs, double *d);
static inline double ae_dot(ptrdiff_t n, const double *w, const double *x);
static void ae_dot_d0(double z, ptrdiff_t n, const double *w, const double *x, double *d);
static void ae_dot_d1(double z, ptrdiff_t n, const double *w, const double *x, double *d);
static inline double ae_logsumexp(ptrdiff_t n, const double *xs);
static void ae_logsumexp_d0(double z, ptrdiff_t n, const double *xs, double *d);

static inline double ae_add(double x, double y)
{
    return x + y;
}

static inline double ae_add_d0(double z, double x, double y)
{
    return 1.0;
}

static inline double ae_add_d1(double z, double x, double y)
{
    return 1.0;
}

static void ae_node_add(ptrdiff_t n, const double *x, double *z, double *d)
{
    *z = ae_add(x[0], x[1]);
    d[0] = ae_add_d0(*z, x[0], x[1]);
    d[1] = ae_add_d1(*z, x[0], x[1]);
}

static inline double ae_sub(double x, double y)
{
    return x - y;
}

static inline double ae_sub_d0(double z, double x, double y)
{
    return 1.0;
}

static inline double ae_sub_d1(double z, double x, double y)
{
    return -1.0;
}

static void ae_node_sub(ptrdiff_t n, const double *x, double *z, double *d)
{
    *z = ae_sub(x[0], x[1]);
    d[0] = ae_sub_d0(*z, x[0], x[1]);
    d[1] = ae_sub_d1(*z, x[0], x[1]);
}

static inline double ae_mul(double x, double y)
{
    return x * y;
}

static inline double ae_mul_d0(double z, double x, double y)
{
    return y;
}

static inline double ae_mul_d1(double z, double x, double y)
{
    return x;
}

static void ae_node_mul(ptrdiff_t n, const double *x, double *z, double *d)
{
    *z = ae_mul(x[0], x[1]);
    d[0] = ae_mul_d0(*z, x[0], x[1]);
    d[1] = ae_mul_d1(*z, x[0], x[1]);
}

static inline double ae_div(double x, double y)
{
    return x / y;
}

static inline double ae_div_d0(double z, double x, double y)
{
    return 1.0 / y;
}

static inline double ae_div_d1(double z, double x, double y)
{
    return (-z) / y;
}

static void ae_node_div(ptrdiff_t n, const double *x, double *z, double *d)
{
    *z = ae_div(x[0], x[1]);
    d[0] = ae_div_d0(*z, x[0], x[1]);
    d[1] = ae_div_d1(*z, x[0], x[1]);
}

static inline double ae_pow(double x, double y)
{
    return pow(x, y);
}

static inline double ae_pow_d0(double z, double x, double y)
{
    return y * ae_pow((((y == 0.0) ? (((x * x) > 0.0) ? 0.0 : 1.0) : 0.0) ? 1.0 : x), (y - 1.0));
}

static inline double ae_pow_d1(double z, double x, double y)
{
    return z * ae_log(((x == 0.0) ? ((y < 0.0) ? x : 1.0) : x));
}

static void ae_node_pow(ptrdiff_t n, const double *x, double *z, double *d)
{
    *z = ae_pow(x[0], x[1]);
    d[0] = ae_pow_d0(*z, x[0], x[1]);
    d[1] = ae_pow_d1(*z, x[0], x[1]);
}

static inline double ae_neg(double x)
{
    return -x;
}

static inline double ae_neg_d0(double z, double x)
{
    return -1.0;
}

static void ae_node_neg(ptrdiff_t n, const double *x, double *z, double *d)
{
    *z = ae_neg(x[0]);
    d[0] = ae_neg_d0(*z, x[0]);
}

static inline double ae_square(double x)
{
    return x * x;
}

static inline double ae_square_d0(double z, double x)
{
    return 2.0 * x;
}

static void ae_node_square(ptrdiff_t n, const double *x, double *z, double *d)
{
    *z = ae_square(x[0]);
    d[0] = ae_square_d0(*z, x[0]);
}

static inline double ae_sqrt(double x)
{
    return sqrt(x);
}

static inline double ae_sqrt_d0(double z, double x)
{
    return 0.5 / (z + 0.0);
}

static void ae_node_sqrt(ptrdiff_t n, const double *x, double *z, double *d)
{
    *z = ae_sqrt(x[0]);
    d[0] = ae_sqrt_d0(*z, x[0]);
}

static inline double ae_cbrt(double x)
{
    return cbrt(x);
}

static inline double ae_cbrt_d0(double z, double x)
{
    return ae_square((1.0 / z)) / 3.0;
}

static void ae_node_cbrt(ptrdiff_t n, const double *x, double *z, double *d)
{
    *z = ae_cbrt(x[0]);
    d[0] = ae_cbrt_d0(*z, x[0]);
}

static inline double ae_hypot(double x, double y)
{
    return hypot(x, y);
}

static inline double ae_hypot_d0(double z, double x, double y)
{
    const double t0 = (double)(ae_abs(x) == INFINITY);
    return t0 ? (ae_sign(x) + (y - y)) : ((t0 ? 0.0 : x) / ((z == 0.0) ? INFINITY : z));
}

static inline double ae_hypot_d1(double z, double x, double y)
{
    const double t0 = (double)(ae_abs(y) == INFINITY);
    return t0 ? (ae_sign(y) + (x - x)) : ((t0 ? 0.0 : y) / ((z == 0.0) ? INFINITY : z));
}

static void ae_node_hypot(ptrdiff_t n, const double *x, double *z, double *d)
{
    *z = ae_hypot(x[0], x[1]);
    d[0] = ae_hypot_d0(*z, x[0], x[1]);
    d[1] = ae_hypot_d1(*z, x[0], x[1]);
}

static inline double ae_where(double c, double x, double y)
{
    return c != 0.0 ? x : y;
}

static inline double ae_where_d0(double z, double c, double x, double y)
{
    return 0.0;
}

static inline double ae_where_d1(double z, double c, double x, double y)
{
    return c ? 1.0 : 0.0;
}

static inline double ae_where_d2(double z, double c, double x, double y)
{
    return c ? 0.0 : 1.0;
}

static void ae_node_where(ptrdiff_t n, const double *x, double *z, double *d)
{
    *z = ae_where(x[0], x[1], x[2]);
    d[0] = ae_where_d0(*z, x[0], x[1], x[2]);
    d[1] = ae_where_d1(*z, x[0], x[1], x[2]);
    d[2] = ae_where_d2(*z, x[0], x[1], x[2]);
}

static inline double ae_sign(double x)
{
    return (x > 0.0) ? 1.0 : ((x < 0.0) ? (-1.0) : x);
}

static inline double ae_sign_d0(double z, double x)
{
    return z - z;
}

static void ae_node_sign(ptrdiff_t n, const double *x, double *z, double *d)
{
    *z = ae_sign(x[0]);
    d[0] = ae_sign_d0(*z, x[0]);
}

static inline double ae_heaviside(double x)
{
    return (x > 0.0) ? 1.0 : ((x <= 0.0) ? 0.0 : x);
}

static inline double ae_heaviside_d0(double z, double x)
{
    return z - z;
}

static void ae_node_heaviside(ptrdiff_t n, const double *x, double *z, double *d)
{
    *z = ae_heaviside(x[0]);
    d[0] = ae_heaviside_d0(*z, x[0]);
}

static inline double ae_abs(double x)
{
    return fabs(x);
}

static inline double ae_abs_d0(double z, double x)
{
    return ae_sign(x);
}

static void ae_node_abs(ptrdiff_t n, const double *x, double *z, double *d)
{
    *z = ae_abs(x[0]);
    d[0] = ae_abs_d0(*z, x[0]);
}

static inline double ae_maximum(double x, double y)
{
    return (x > y) ? x : ((x <= y) ? y : (x + y));
}

static inline double ae_maximum_d0(double z, double x, double y)
{
    return (x > y) ? 1.0 : ((x < y) ? 0.0 : ((x == y) ? 0.5 : (x + y)));
}

static inline double ae_maximum_d1(double z, double x, double y)
{
    return (y > x) ? 1.0 : ((y < x) ? 0.0 : ((x == y) ? 0.5 : (x + y)));
}

static void ae_node_maximum(ptrdiff_t n, const double *x, double *z, double *d)
{
    *z = ae_maximum(x[0], x[1]);
    d[0] = ae_maximum_d0(*z, x[0], x[1]);
    d[1] = ae_maximum_d1(*z, x[0], x[1]);
}

static inline double ae_minimum(double x, double y)
{
    return (x < y) ? x : ((x >= y) ? y : (x + y));
}

static inline double ae_minimum_d0(double z, double x, double y)
{
    return (y > x) ? 1.0 : ((y < x) ? 0.0 : ((x == y) ? 0.5 : (x + y)));
}

static inline double ae_minimum_d1(double z, double x, double y)
{
    return (x > y) ? 1.0 : ((x < y) ? 0.0 : ((x == y) ? 0.5 : (x + y)));
}

static void ae_node_minimum(ptrdiff_t n, const double *x, double *z, double *d)
{
    *z = ae_minimum(x[0], x[1]);
    d[0] = ae_minimum_d0(*z, x[0], x[1]);
    d[1] = ae_minimum_d1(*z, x[0], x[1]);
}

static inline double ae_exp(double x)
{
    return exp(x);
}

static inline double ae_exp_d0(double z, double x)
{
    return z;
}

static void ae_node_exp(ptrdiff_t n, const double *x, double *z, double *d)
{
    *z = ae_exp(x[0]);
    d[0] = ae_exp_d0(*z, x[0]);
}

static inline double ae_expm1(double x)
{
    return expm1(x);
}

static inline double ae_expm1_d0(double z, double x)
{
    return ae_exp(x);
}

static void ae_node_expm1(ptrdiff_t n, const double *x, double *z, double *d)
{
    *z = ae_expm1(x[0]);
    d[0] = ae_expm1_d0(*z, x[0]);
}

static inline double ae_log(double x)
{
    return log(x);
}

static inline double ae_log_d0(double z, double x)
{
    return 1.0 / x;
}

static void ae_node_log(ptrdiff_t n, const double *x, double *z, double *d)
{
    *z = ae_log(x[0]);
    d[0] = ae_log_d0(*z, x[0]);
}

static inline double ae_log1p(double x)
{
    return log1p(x);
}

static inline double ae_log1p_d0(double z, double x)
{
    return 1.0 / (1.0 + x);
}

static void ae_node_log1p(ptrdiff_t n, const double *x, double *z, double *d)
{
    *z = ae_log1p(x[0]);
    d[0] = ae_log1p_d0(*z, x[0]);
}

static inline double ae_log2(double x)
{
    return log2(x);
}

static inline double ae_log2_d0(double z, double x)
{
    return 1.0 / (x * 0.6931471805599453);
}

static void ae_node_log2(ptrdiff_t n, const double *x, double *z, double *d)
{
    *z = ae_log2(x[0]);
    d[0] = ae_log2_d0(*z, x[0]);
}

static inline double ae_log10(double x)
{
    return log10(x);
}

static inline double ae_log10_d0(double z, double x)
{
    return 1.0 / (x * 2.302585092994046);
}

static void ae_node_log10(ptrdiff_t n, const double *x, double *z, double *d)
{
    *z = ae_log10(x[0]);
    d[0] = ae_log10_d0(*z, x[0]);
}

static inline double ae_exp_difference(double x, double y)
{
    return ae_exp((x - y));
}

static inline double ae_exp_difference_d0(double z, double x, double y)
{
    return z;
}

static inline double ae_exp_difference_d1(double z, double x, double y)
{
    return -z;
}

static void ae_node_exp_difference(ptrdiff_t n, const double *x, double *z, double *d)
{
    *z = ae_exp_difference(x[0], x[1]);
    d[0] = ae_exp_difference_d0(*z, x[0], x[1]);
    d[1] = ae_exp_difference_d1(*z, x[0], x[1]);
}

static inline double ae_logaddexp(double x, double y)
{
    return ae_maximum(x, y) + ae_log1p(ae_exp((-ae_abs(((x == y) ? 0.0 : (x - y))))));
}

static inline double ae_logaddexp_d0(double z, double x, double y)
{
    return ae_sigmoid((x - y));
}

static inline double ae_logaddexp_d1(double z, double x, double y)
{
    return ae_sigmoid((y - x));
}

static void ae_node_logaddexp(ptrdiff_t n, const double *x, double *z, double *d)
{
    *z = ae_logaddexp(x[0], x[1]);
    d[0] = ae_logaddexp_d0(*z, x[0], x[1]);
    d[1] = ae_logaddexp_d1(*z, x[0], x[1]);
}

static inline double ae_sin(double x)
{
    return sin(x);
}

static inline double ae_sin_d0(double z, double x)
{
    return ae_cos(x);
}

static void ae_node_sin(ptrdiff_t n, const double *x, double *z, double *d)
{
    *z = ae_sin(x[0]);
    d[0] = ae_sin_d0(*z, x[0]);
}

static inline double ae_cos(double x)
{
    return cos(x);
}

static inline double ae_cos_d0(double z, double x)
{
    return -ae_sin(x);
}

static void ae_node_cos(ptrdiff_t n, const double *x, double *z, double *d)
{
    *z = ae_cos(x[0]);
    d[0] = ae_cos_d0(*z, x[0]);
}

static inline double ae_tan(double x)
{
    return tan(x);
}

static inline double ae_tan_d0(double z, double x)
{
    return 1.0 + (z * z);
}

static void ae_node_tan(ptrdiff_t n, const double *x, double *z, double *d)
{
    *z = ae_tan(x[0]);
    d[0] = ae_tan_d0(*z, x[0]);
}

static inline double ae_asin(double x)
{
    return asin(x);
}

static inline double ae_asin_d0(double z, double x)
{
    return 1.0 / ae_sqrt(((1.0 - x) * (1.0 + x)));
}

static void ae_node_asin(ptrdiff_t n, const double *x, double *z, double *d)
{
    *z = ae_asin(x[0]);
    d[0] = ae_asin_d0(*z, x[0]);
}

static inline double ae_acos(double x)
{
    return acos(x);
}

static inline double ae_acos_d0(double z, double x)
{
    return (-1.0) / ae_sqrt(((1.0 - x) * (1.0 + x)));
}

static void ae_node_acos(ptrdiff_t n, const double *x, double *z, double *d)
{
    *z = ae_acos(x[0]);
    d[0] = ae_acos_d0(*z, x[0]);
}

static inline double ae_atan(double x)
{
    return atan(x);
}

static inline double ae_atan_d0(double z, double x)
{
    return ae_square((1.0 / ae_hypot(1.0, x)));
}

static void ae_node_atan(ptrdiff_t n, const double *x, double *z, double *d)
{
    *z = ae_atan(x[0]);
    d[0] = ae_atan_d0(*z, x[0]);
}

static inline double ae_atan2(double y, double x)
{
    return atan2(y, x);
}

static inline double ae_atan2_d0(double z, double y, double x)
{
    const double t0 = ae_hypot(x, y);
    const double t1 = (t0 == 0.0) ? INFINITY : t0;
    return (x / t1) / t1;
}

static inline double ae_atan2_d1(double z, double y, double x)
{
    const double t0 = ae_hypot(y, x);
    const double t1 = (t0 == 0.0) ? INFINITY : t0;
    return -((y / t1) / t1);
}

static void ae_node_atan2(ptrdiff_t n, const double *x, double *z, double *d)
{
    *z = ae_atan2(x[0], x[1]);
    d[0] = ae_atan2_d0(*z, x[0], x[1]);
    d[1] = ae_atan2_d1(*z, x[0], x[1]);
}

static inline double ae_sinh(double x)
{
    return sinh(x);
}

static inline double ae_sinh_d0(double z, double x)
{
    return ae_cosh(x);
}

static void ae_node_sinh(ptrdiff_t n, const double *x, double *z, double *d)
{
    *z = ae_sinh(x[0]);
    d[0] = ae_sinh_d0(*z, x[0]);
}

static inline double ae_cosh(double x)
{
    return cosh(x);
}

static inline double ae_cosh_d0(double z, double x)
{
    return ae_sinh(x);
}

static void ae_node_cosh(ptrdiff_t n, const double *x, double *z, double *d)
{
    *z = ae_cosh(x[0]);
    d[0] = ae_cosh_d0(*z, x[0]);
}

static inline double ae_tanh(double x)
{
    return tanh(x);
}

static inline double ae_tanh_d0(double z, double x)
{
    return 1.0 - (z * z);
}

static void ae_node_tanh(ptrdiff_t n, const double *x, double *z, double *d)
{
    *z = ae_tanh(x[0]);
    d[0] = ae_tanh_d0(*z, x[0]);
}

static inline double ae_asinh(double x)
{
    return asinh(x);
}

static inline double ae_asinh_d0(double z, double x)
{
    return 1.0 / ae_hypot(1.0, x);
}

static void ae_node_asinh(ptrdiff_t n, const double *x, double *z, double *d)
{
    *z = ae_asinh(x[0]);
    d[0] = ae_asinh_d0(*z, x[0]);
}

static inline double ae_acosh(double x)
{
    return acosh(x);
}

static inline double ae_acosh_d0(double z, double x)
{
    return (1.0 / ae_sqrt((x - 1.0))) / ae_sqrt((x + 1.0));
}

static void ae_node_acosh(ptrdiff_t n, const double *x, double *z, double *d)
{
    *z = ae_acosh(x[0]);
    d[0] = ae_acosh_d0(*z, x[0]);
}

static inline double ae_atanh(double x)
{
    return atanh(x);
}

static inline double ae_atanh_d0(double z, double x)
{
    return 1.0 / ((1.0 - x) * (1.0 + x));
}

static void ae_node_atanh(ptrdiff_t n, const double *x, double *z, double *d)
{
    *z = ae_atanh(x[0]);
    d[0] = ae_atanh_d0(*z, x[0]);
}

static inline double ae_erf(double x)
{
    return erf(x);
}

static inline double ae_erf_d0(double z, double x)
{
    return 1.1283791670955126 * ae_exp((-ae_square(((ae_abs(x) >= 40.0) ? 40.0 : x))));
}

static void ae_node_erf(ptrdiff_t n, const double *x, double *z, double *d)
{
    *z = ae_erf(x[0]);
    d[0] = ae_erf_d0(*z, x[0]);
}

static inline double ae_sigmoid(double x)
{
    const double t0 = ae_exp((-ae_abs(x)));
    return ((x < 0.0) ? t0 : 1.0) / (1.0 + t0);
}

static inline double ae_sigmoid_d0(double z, double x)
{
    return z * (1.0 - z);
}

static void ae_node_sigmoid(ptrdiff_t n, const double *x, double *z, double *d)
{
    *z = ae_sigmoid(x[0]);
    d[0] = ae_sigmoid_d0(*z, x[0]);
}

static inline double ae_softplus(double x)
{
    return ae_relu(x) + ae_log1p(ae_exp((-ae_abs(x))));
}

static inline double ae_softplus_d0(double z, double x)
{
    return ae_sigmoid(x);
}

static void ae_node_softplus(ptrdiff_t n, const double *x, double *z, double *d)
{
    *z = ae_softplus(x[0]);
    d[0] = ae_softplus_d0(*z, x[0]);
}

static inline double ae_relu(double x)
{
    return (x <= 0.0) ? 0.0 : x;
}

static inline double ae_relu_d0(double z, double x)
{
    return ae_sign(z);
}

static void ae_node_relu(ptrdiff_t n, const double *x, double *z, double *d)
{
    *z = ae_relu(x[0]);
    d[0] = ae_relu_d0(*z, x[0]);
}

static inline double ae_leaky_relu(double x)
{
    return (x <= 0.0) ? (0.01 * x) : x;
}

static inline double ae_leaky_relu_d0(double z, double x)
{
    return (x <= 0.0) ? 0.01 : ((x > 0.0) ? 1.0 : x);
}

static void ae_node_leaky_relu(ptrdiff_t n, const double *x, double *z, double *d)
{
    *z = ae_leaky_relu(x[0]);
    d[0] = ae_leaky_relu_d0(*z, x[0]);
}

static inline double ae_elu(double x)
{
    return ae_relu(x) + ae_expm1((-ae_relu((-x))));
}

static inline double ae_elu_d0(double z, double x)
{
    return ae_exp((-ae_relu((-x))));
}

static void ae_node_elu(ptrdiff_t n, const double *x, double *z, double *d)
{
    *z = ae_elu(x[0]);
    d[0] = ae_elu_d0(*z, x[0]);
}

static inline double ae_gelu(double x)
{
    const double t0 = 0.5 + (0.5 * ae_erf((x * 0.7071067811865476)));
    return t0 * ((t0 == 0.0) ? 0.0 : x);
}

static inline double ae_gelu_d0(double z, double x)
{
    const double t0 = ae_exp(((-0.5) * ae_square(((ae_abs(x) >= 40.0) ? 40.0 : x)))) / 2.5066282746310002;
    return (0.5 + (0.5 * ae_erf((x * 0.7071067811865476)))) + (t0 * ((t0 == 0.0) ? 0.0 : x));
}

static void ae_node_gelu(ptrdiff_t n, const double *x, double *z, double *d)
{
    *z = ae_gelu(x[0]);
    d[0] = ae_gelu_d0(*z, x[0]);
}

static inline double ae_silu(double x)
{
    const double t0 = ae_sigmoid(x);
    return t0 * ((t0 == 0.0) ? 0.0 : x);
}

static inline double ae_silu_d0(double z, double x)
{
    const double t0 = ae_sigmoid(x);
    const double t1 = t0 * ae_sigmoid((-x));
    return t0 + (t1 * ((t1 == 0.0) ? 0.0 : x));
}

static void ae_node_silu(ptrdiff_t n, const double *x, double *z, double *d)
{
    *z = ae_silu(x[0]);
    d[0] = ae_silu_d0(*z, x[0]);
}

static inline double ae_mish(double x)
{
    const double t0 = ae_tanh(ae_softplus(x));
    return t0 * ((t0 == 0.0) ? 0.0 : x);
}

static inline double ae_mish_d0(double z, double x)
{
    const double t0 = ae_tanh(ae_softplus(x));
    const double t1 = ae_sigmoid(x) * (1.0 - ae_square(t0));
    return t0 + (t1 * ((t1 == 0.0) ? 0.0 : x));
}

static void ae_node_mish(ptrdiff_t n, const double *x, double *z, double *d)
{
    *z = ae_mish(x[0]);
    d[0] = ae_mish_d0(*z, x[0]);
}

static inline double ae_sum(ptrdiff_t n, const double *xs)
{
    ptrdiff_t i;
    i = 0;
    double t0 = xs[i];
    for (i = 1; i < n; i++)
        t0 = t0 + xs[i];
    return t0;
}

static void ae_sum_d0(double z, ptrdiff_t n, const double *xs, double *d)
{
    ptrdiff_t i;
    for (i = 0; i < n; i++)
        d[i] = 1.0;
}

static void ae_node_sum(ptrdiff_t n, const double *x, double *z, double *d)
{
    *z = ae_sum(n, x + 0 * n);
    ae_sum_d0(*z, n, x + 0 * n, d + 0 * n);
}

static inline double ae_mean(ptrdiff_t n, const double *xs)
{
    ptrdiff_t i;
    i = 0;
    double t0 = xs[i];
    for (i = 1; i < n; i++)
        t0 = t0 + xs[i];
    return t0 / (double)n;
}

static void ae_mean_d0(double z, ptrdiff_t n, const double *xs, double *d)
{
    ptrdiff_t i;
    for (i = 0; i < n; i++)
        d[i] = 1.0 / (double)n;
}

static void ae_node_mean(ptrdiff_t n, const double *x, double *z, double *d)
{
    *z = ae_mean(n, x + 0 * n);
    ae_mean_d0(*z, n, x + 0 * n, d + 0 * n);
}

static inline double ae_dot(ptrdiff_t n, const double *w, const double *x)
{
    ptrdiff_t i;
    i = 0;
    double t0 = w[i] * x[i];
    for (i = 1; i < n; i++)
        t0 = t0 + (w[i] * x[i]);
    return t0;
}

static void ae_dot_d0(double z, ptrdiff_t n, const double *w, const double *x, double *d)
{
    ptrdiff_t i;
    for (i = 0; i < n; i++)
        d[i] = x[i];
}

static void ae_dot_d1(double z, ptrdiff_t n, const double *w, const double *x, double *d)
{
    ptrdiff_t i;
    for (i = 0; i < n; i++)
        d[i] = w[i];
}

static void ae_node_dot(ptrdiff_t n, const double *x, double *z, double *d)
{
    *z = ae_dot(n, x + 0 * n, x + 1 * n);
    ae_dot_d0(*z, n, x + 0 * n, x + 1 * n, d + 0 * n);
    ae_dot_d1(*z, n, x + 0 * n, x + 1 * n, d + 1 * n);
}

static inline double ae_logsumexp(ptrdiff_t n, const double *xs)
{
    ptrdiff_t i;
    i = 0;
    double t0 = xs[i];
    for (i = 1; i < n; i++)
        t0 = ae_maximum(t0, xs[i]);
    const double t1 = ((t0 - t0) == 0.0) ? t0 : 0.0;
    i = 0;
    double t2 = ae_exp((xs[i] - t1));
    for (i = 1; i < n; i++)
        t2 = t2 + ae_exp((xs[i] - t1));
    return t1 + ae_log(t2);
}

static void ae_logsumexp_d0(double z, ptrdiff_t n, const double *xs, double *d)
{
    ptrdiff_t i;
    i = 0;
    double t0 = xs[i];
    for (i = 1; i < n; i++)
        t0 = ae_maximum(t0, xs[i]);
    i = 0;
    double t1 = ae_exp((xs[i] - (((t0 - t0) == 0.0) ? t0 : 0.0)));
    for (i = 1; i < n; i++)
        t1 = t1 + ae_exp((xs[i] - (((t0 - t0) == 0.0) ? t0 : 0.0)));
    for (i = 0; i < n; i++)
        d[i] = ae_exp((xs[i] - (((t0 - t0) == 0.0) ? t0 : 0.0))) / t1;
}

static void ae_node_logsumexp(ptrdiff_t n, const double *x, double *z, double *d)
{
    *z = ae_logsumexp(n, x + 0 * n);
    ae_logsumexp_d0(*z, n, x + 0 * n, d + 0 * n);
}

typedef struct {
    const char *name;
    int arity, nary;
    void (*run)(ptrdiff_t n, const double *x, double *z, double *d);
} ae_kernel;

static const ae_kernel AE_KERNELS[] = {
    {"", 0, 0, 0},  /* what a leaf has in the place of a row */
    {"add", 2, 0, ae_node_add},
    {"sub", 2, 0, ae_node_sub},
    {"mul", 2, 0, ae_node_mul},
    {"div", 2, 0, ae_node_div},
    {"pow", 2, 0, ae_node_pow},
    {"neg", 1, 0, ae_node_neg},
    {"square", 1, 0, ae_node_square},
    {"sqrt", 1, 0, ae_node_sqrt},
    {"cbrt", 1, 0, ae_node_cbrt},
    {"hypot", 2, 0, ae_node_hypot},
    {"where", 3, 0, ae_node_where},
    {"sign", 1, 0, ae_node_sign},
    {"heaviside", 1, 0, ae_node_heaviside},
    {"abs", 1, 0, ae_node_abs},
    {"maximum", 2, 0, ae_node_maximum},
    {"minimum", 2, 0, ae_node_minimum},
    {"exp", 1, 0, ae_node_exp},
    {"expm1", 1, 0, ae_node_expm1},
    {"log", 1, 0, ae_node_log},
    {"log1p", 1, 0, ae_node_log1p},
    {"log2", 1, 0, ae_node_log2},
    {"log10", 1, 0, ae_node_log10},
    {"exp_difference", 2, 0, ae_node_exp_difference},
    {"logaddexp", 2, 0, ae_node_logaddexp},
    {"sin", 1, 0, ae_node_sin},
    {"cos", 1, 0, ae_node_cos},
    {"tan", 1, 0, ae_node_tan},
    {"asin", 1, 0, ae_node_asin},
    {"acos", 1, 0, ae_node_acos},
    {"atan", 1, 0, ae_node_atan},
    {"atan2", 2, 0, ae_node_atan2},
    {"sinh", 1, 0, ae_node_sinh},
    {"cosh", 1, 0, ae_node_cosh},
    {"tanh", 1, 0, ae_node_tanh},
    {"asinh", 1, 0, ae_node_asinh},
    {"acosh", 1, 0, ae_node_acosh},
    {"atanh", 1, 0, ae_node_atanh},
    {"erf", 1, 0, ae_node_erf},
    {"sigmoid", 1, 0, ae_node_sigmoid},
    {"softplus", 1, 0, ae_node_softplus},
    {"relu", 1, 0, ae_node_relu},
    {"leaky_relu", 1, 0, ae_node_leaky_relu},
    {"elu", 1, 0, ae_node_elu},
    {"gelu", 1, 0, ae_node_gelu},
    {"silu", 1, 0, ae_node_silu},
    {"mish", 1, 0, ae_node_mish},
    {"sum", 1, 1, ae_node_sum},
    {"mean", 1, 1, ae_node_mean},
    {"dot", 2, 1, ae_node_dot},
    {"logsumexp", 1, 1, ae_node_logsumexp},
};

enum { AE_none, AE_add, AE_sub, AE_mul, AE_div, AE_pow, AE_neg, AE_square, AE_sqrt, AE_cbrt, AE_hypot, AE_where, AE_sign, AE_heaviside, AE_abs, AE_maximum, AE_minimum, AE_exp, AE_expm1, AE_log, AE_log1p, AE_log2, AE_log10, AE_exp_difference, AE_logaddexp, AE_sin, AE_cos, AE_tan, AE_asin, AE_acos, AE_atan, AE_atan2, AE_sinh, AE_cosh, AE_tanh, AE_asinh, AE_acosh, AE_atanh, AE_erf, AE_sigmoid, AE_softplus, AE_relu, AE_leaky_relu, AE_elu, AE_gelu, AE_silu, AE_mish, AE_sum, AE_mean, AE_dot, AE_logsumexp, AE_COUNT };

#define AE_UNARY(F) F(neg) F(square) F(sqrt) F(cbrt) F(sign) F(heaviside) F(abs) F(exp) F(expm1) F(log) F(log1p) F(log2) F(log10) F(sin) F(cos) F(tan) F(asin) F(acos) F(atan) F(sinh) F(cosh) F(tanh) F(asinh) F(acosh) F(atanh) F(erf) F(sigmoid) F(softplus) F(relu) F(leaky_relu) F(elu) F(gelu) F(silu) F(mish)

#define AE_BINARY(F) F(add) F(sub) F(mul) F(div) F(pow) F(hypot) F(maximum) F(minimum) F(exp_difference) F(logaddexp) F(atan2)

#define AE_TABLE "ffb3318a"
#define AE_HASH "08ca74f10246619c0014404ab96bc2190c0867114b72a0114780aaa70b45fb53"
