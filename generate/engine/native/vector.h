// Vectors of floats in the compiler's own notation, and the two operations that it has no sign for.
#pragma once

#include <cstdint>
#include <cstring>
#include <initializer_list>
#ifdef __x86_64__
#include <immintrin.h>
#endif

#define INLINE static inline __attribute__((always_inline))

template <int N> struct Lanes {
    typedef float Floats __attribute__((vector_size(4 * N)));
    typedef int32_t Ints __attribute__((vector_size(4 * N)));
};
template <int N> using Floats = typename Lanes<N>::Floats;
template <int N> using Ints = typename Lanes<N>::Ints;

template <int N> INLINE Floats<N> all(float value) { return value - Floats<N>{}; }  // adding would cost: -0 + 0 is 0

template <int N> INLINE Floats<N> load(const float *from) {
    Floats<N> value;
    memcpy(&value, from, sizeof value);
    return value;
}

// a * b + c, rounded once: always, so that no compiler's choice tells two rows apart.
template <int N> INLINE Floats<N> fma(Floats<N> a, Floats<N> b, Floats<N> c) {
#ifdef __AVX512F__
    if constexpr (N == 16) return (Floats<N>)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#endif
#ifdef __FMA__
    if constexpr (N == 8) return (Floats<N>)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
    if constexpr (N == 16) {
        Floats<8> x[2], y[2], z[2];
        memcpy(x, &a, 64), memcpy(y, &b, 64), memcpy(z, &c, 64);
        for (int half = 0; half < 2; half++) z[half] = fma<8>(x[half], y[half], z[half]);
        memcpy(&c, z, 64);
        return c;
    }
#endif
    for (int lane = 0; lane < N; lane++) c[lane] = __builtin_fmaf(a[lane], b[lane], c[lane]);
    return c;
}

// e to the power of x, within 2 units of the last place; 0 below -87, and 88 counts as the most.
// The polynomial is Cephes' (Moshier, expf), after the reduction x = n ln 2 + r.
template <int N> INLINE Floats<N> exp(Floats<N> x) {
    const Ints<N> none = x < -87.0f;
    x = none ? all<N>(-87.0f) : x;
    x = x > 88.0f ? all<N>(88.0f) : x;  // what is not a number stays so
    const Floats<N> shifter = all<N>(12582912.0f);  // 1.5 * 2^23: adding it rounds to integers
    const Floats<N> n = fma<N>(x, all<N>(1.44269504f), shifter) - shifter;
    const Floats<N> r = fma<N>(n, all<N>(2.12194440e-4f), fma<N>(n, all<N>(-0.693359375f), x));
    Floats<N> p = all<N>(1.9875691500e-4f);
    for (float next : {1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f, 0.5f})
        p = fma<N>(p, r, all<N>(next));
    p = fma<N>(p, r * r, r) + 1.0f;
    const Ints<N> power = (__builtin_convertvector(n, Ints<N>) + 127) << 23;
    return none ? Floats<N>{} : p * (Floats<N>)power;
}
