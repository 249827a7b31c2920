# The words that formulas are written in. The build expands this file once for float and once for
# double: `real` becomes the type, and every name declared here gets the suffix _f32 or _f64.

cdef extern from "vector_math.h" nogil:
    real exp(real x)
    real exp_nonpositive(real x)
    real log(real x)
    real log_nonnegative(real x)
    real log_unit(real x)
    real log1p(real x)
    real log1p_nonnegative(real x)
    real log1p_nonpositive(real x)
    real log1p_unit(real x)
    real log1p_unit_deficit(real x)
    real log1mexp(real x)
    real expm1(real x)
    real expm1_nonpositive(real x)
    real tanh(real x)
    real log_cosh_unit(real x)
    real sigmoid(real x)
    real softplus(real x)
    real log_sigmoid(real x)
    real lgamma(real x)
    real digamma(real x)
    real trigamma(real x)
    real multiply_add(real a, real b, real c)
    real by_sign(real x, real plus, real minus)
    real flip_sign(real x, real y)
    # NaN passes through.
    real clip(real x, real low, real high)
    # Of a positive x: what Stirling's leading terms leave of log Gamma and of its derivatives.
    real stirling_rest(real x, real per_x, real log_x)
    real stirling_slope(real x, real per_x, real log_x)
    real stirling_bend(real x, real per_x)
    # Of numbers that are not negative: log y!.
    real log_factorial(real y, real log_y)
    # log(one + x), where `one` is 0 or 1.
    real log_of_sum(real one, real x)
    # Beside exp of the same number, which is below 30.
    real expm1_beside_exp(real x) nogil
    # x - scale log1p(x / scale) for x >= 0, given the quotient.
    real log1p_gap(real x, real scale, real quotient) nogil
    # x - log1p(x) on [0, 1].
    real log1p_deficit(real x) nogil
    # x, or where `within` is negative x times a power of 2, so small that quotients of it by small
    # numbers do not overflow.
    real scaled_down(real x, real within) nogil
    # Logarithms in two parts: of x; of 1 + x^2 for a lowered x; of the same for a product x (y + y_low),
    # x itself in two parts. Exponentials of a product of two numbers in two parts.
    real log_high(real x) nogil
    real log_low(real x) nogil
    real log1p_square_high(real x, real within) nogil
    real log1p_square_low(real x, real within) nogil
    real log1p_square_of_product_high(real x, real y, real y_low) nogil
    real log1p_square_of_product_low(real x, real y, real y_low) nogil
    real exp_product(real y, real y_low, real x, real x_low)
    real quotient_exp_product(real a, real b, real y, real y_low, real x, real x_low)
    real expm1_product(real factor, real y, real y_low, real x, real x_low)
    # exp(x), or that of such a product, as near far^2: times_exp multiplies by it.
    void exp_factors(real x, real* near, real* far)
    void power_factors(real y, real y_low, real x, real x_low, real* near, real* far)
    # Both at once, within 2 ulp.
    void exp_and_expm1(real x, real* exponential, real* rise)
    # exp(x) = numerator / (first second), and logarithms in parts (vector_math.h).
    void exp_fraction(real x, real* numerator, real* first, real* second, real* count, real* rest)
    void split_log(real one, real x, real* k, real* power, real* f, real* bend)

cdef extern from *:
    """
    #include <math.h>
    #define fabs_f32 fabsf
    #define fabs_f64 fabs
    #define sqrt_f32 sqrtf
    #define sqrt_f64 sqrt
    #include <float.h>
    #define smallest_normal_f32() FLT_MIN
    #define smallest_normal_f64() DBL_MIN
    """
    real fabs(real x) nogil
    real sqrt(real x) nogil
    real smallest_normal() nogil


cdef inline real infinity() noexcept nogil:
    return INFINITY


cdef inline real minus_infinity() noexcept nogil:
    return -INFINITY


cdef inline real positive_part(real x) noexcept nogil:
    # max(x, 0), where NaN stays NaN.
    return 0.0 if x <= 0.0 else x


# Selects here come one after another, each of them between two numbers: nested ones take the
# comparisons of all ways through them.
cdef inline real sign_of(real x) noexcept nogil:
    # Zero at zero, NaN at NaN.
    return flip_sign(1.0, x) if fabs(x) > 0.0 else x


cdef inline real by_side(real x, real above, real below) noexcept nogil:
    # Zero at zero, NaN at NaN.
    cdef real side = above if x > 0.0 else below
    return side if fabs(x) > 0.0 else x


cdef inline real product(real factor, real x) noexcept nogil:
    # A factor of zero wins over an infinite x: 0 * log 0 = 0. Not for a factor that is the same for
    # all elements: GCC does not vectorise a select whose condition the loop does not change.
    return factor * x if factor != 0.0 else 0.0


cdef inline real times_exp(real x, real near, real far) noexcept nogil:
    # x near far^2, which may be an ordinary number where near far^2 is not; an x of 0 stays 0.
    return x * far * far * near
