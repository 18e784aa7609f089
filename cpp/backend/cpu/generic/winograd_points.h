// The one-dimensional transforms of Winograd's convolutions F(m, r), m outputs of a filter of r taps out of
// Alpha = m + r - 1 inputs d (Lavin and Gray, "Fast algorithms for convolutional neural networks", 2016):
// y = A^T [(G g) * (B^T d)], the product taken element by element. Both factors are values of polynomials
// at Alpha - 1 points and at infinity.
//
// The points are 0, +-1 for Alpha = 4, 0, +-1/sqrt(2), +-sqrt(2) for 6 and 0, +-1/2, +-1, +-2 for 8. Which are taken
// decides how much rounding errors grow (Barabasz et al., "Error analysis and improving the accuracy of
// Winograd convolution for deep neural networks", 2018); those of the form +-c, +-1/c are good ones (Alam et
// al., "Winograd convolution for deep neural networks: efficient point selection", 2022). Errors are a
// quarter of those with the customary 0, +-1, +-2, for as many operations: squares of the points are exact. With 8
// they grow four times as much as with 6; closer points would make that ten times.
#pragma once

#include "backend/cpu/generic/numbers.h"
#include "backend/cpu/generic/vec.h"

namespace fastcnn::generic {

// The points other than 0 and infinity, in pairs +-q. N is the scale of G in the rows of a pair: the product
// of the differences to all other points.
template <class V, int Alpha>
struct WinogradPoints;

template <class V>
struct WinogradPoints<V, 4> {
  using T = typename V::T;
  static constexpr int pairs = 1;
  static constexpr T q[pairs] = {1};
  static constexpr T square[pairs] = {1};
  static constexpr T inverse_n[pairs] = {T{1} / 2};
};

template <class V>
struct WinogradPoints<V, 6> {
  using T = typename V::T;
  static constexpr int pairs = 2;
  static constexpr T q[pairs] = {T(0.70710678118654752440), T(1.41421356237309504880)};
  static constexpr T square[pairs] = {T{1} / 2, 2};
  static constexpr T inverse_n[pairs] = {T{-2} / 3, T{1} / 6};
};

template <class V>
struct WinogradPoints<V, 8> {
  using T = typename V::T;
  static constexpr int pairs = 3;
  static constexpr T q[pairs] = {T{1} / 2, 1, 2};
  static constexpr T square[pairs] = {T{1} / 4, 1, 4};
  static constexpr T inverse_n[pairs] = {T{32} / 45, T{-2} / 9, T{1} / 90};
};

// B^T: the inputs as coefficients of the polynomials that vanish at all points but one.
template <class V, int Alpha>
struct WinogradInput {
  static constexpr int in = Alpha, out = Alpha;

  void operator()(const V (&d)[4], V (&v)[4]) const {
    v[0] = d[0] - d[2];
    v[1] = d[2] + d[1];
    v[2] = d[2] - d[1];
    v[3] = d[3] - d[1];
  }
  void operator()(const V (&d)[6], V (&v)[6]) const {
    using P = WinogradPoints<V, 6>;
    const V sum = V::broadcast(P::square[0] + P::square[1]);  // their product is 1
    v[0] = d[0] + d[4] - sum * d[2];
    v[5] = d[1] + d[5] - sum * d[3];
    pair(d, P::square[1], P::q[0], v[1], v[2]);
    pair(d, P::square[0], P::q[1], v[3], v[4]);
  }
  void operator()(const V (&d)[8], V (&v)[8]) const {
    using P = WinogradPoints<V, 8>;  // the product of the squares is 1, and so is the coefficient of d[0]
    const V sum = V::broadcast(P::square[0] + P::square[1] + P::square[2]);
    const V products = V::broadcast(P::square[0] * P::square[1] + (P::square[0] + P::square[1]) * P::square[2]);
    v[0] = (d[0] - d[6]) + sum * d[4] - products * d[2];
    v[7] = (d[7] - d[1]) + products * d[3] - sum * d[5];
    pair(d, P::square[1], P::square[2], P::q[0], v[1], v[2]);
    pair(d, P::square[0], P::square[2], P::q[1], v[3], v[4]);
    pair(d, P::square[0], P::square[1], P::q[2], v[5], v[6]);
  }

 private:
  static void pair(const V (&d)[6], typename V::T other_square, typename V::T q, V& plus, V& minus) {
    const V even = d[4] - V::broadcast(other_square) * d[2];
    const V odd = d[3] - V::broadcast(other_square) * d[1];
    plus = even + V::broadcast(q) * odd;
    minus = even - V::broadcast(q) * odd;
  }
  static void pair(const V (&d)[8], typename V::T square, typename V::T other, typename V::T q, V& plus, V& minus) {
    const V sum = V::broadcast(square + other);
    const V product = V::broadcast(square * other);
    const V even = d[6] - sum * d[4] + product * d[2];
    const V odd = d[5] - sum * d[3] + product * d[1];
    plus = even + V::broadcast(q) * odd;
    minus = even - V::broadcast(q) * odd;
  }
};

// The transpose of WinogradInput, B. For a pair of points and for its powers of x alike, the coefficients are those
// of the product of (z - square) over the other pairs, z = x x; for 0 and infinity, over all pairs.
template <class V, int Alpha>
struct WinogradInputTransposed {
  static constexpr int in = Alpha, out = Alpha;

  void operator()(const V (&v)[Alpha], V (&d)[Alpha]) const {
    using T = typename V::T;
    using P = WinogradPoints<V, Alpha>;
    constexpr Product all(P::pairs);
#pragma GCC unroll 4
    for (int i = 0; i <= P::pairs; ++i) {
      d[2 * i] = V::broadcast(all.coefficient[i] / all.coefficient[0]) * v[0];
      d[2 * i + 1] = V::broadcast(all.coefficient[i]) * v[Alpha - 1];
    }
    [&]<int... J>(Numbers<J...>) __attribute__((always_inline)) {
      const auto add = [&]<int Pair>(Numbers<Pair>) __attribute__((always_inline)) {
        constexpr Product others(Pair);
        const V even = v[2 * Pair + 1] + v[2 * Pair + 2];
        const V odd = V::broadcast(T{P::q[Pair]}) * (v[2 * Pair + 1] - v[2 * Pair + 2]);
#pragma GCC unroll 4
        for (int i = 0; i < P::pairs; ++i) {
          d[2 * i + 2] = d[2 * i + 2] + V::broadcast(others.coefficient[i]) * even;
          d[2 * i + 1] = d[2 * i + 1] + V::broadcast(others.coefficient[i]) * odd;
        }
      };
      (add(Numbers<J>{}), ...);
    }(typename NumbersBelow<P::pairs>::type{});
  }

 private:
  // Of (z - square) over all pairs but `left_out`, lowest power first.
  struct Product {
    typename V::T coefficient[WinogradPoints<V, Alpha>::pairs + 1] = {1};

    constexpr explicit Product(int left_out) {
      for (int j = 0; j < WinogradPoints<V, Alpha>::pairs; ++j) {
        if (j == left_out) continue;
        for (int i = WinogradPoints<V, Alpha>::pairs; i >= 0; --i)
          coefficient[i] = (i > 0 ? coefficient[i - 1] : 0) - WinogradPoints<V, Alpha>::square[j] * coefficient[i];
      }
    }
  };
};

// Values at the points of the polynomial with coefficients g: A, and with Scaled (by 1 / N) G.
template <class V, int Alpha, int Count, bool Scaled>
struct WinogradEvaluate {
  static constexpr int in = Count, out = Alpha;

  void operator()(const V (&g)[Count], V (&u)[Alpha]) const {
    using P = WinogradPoints<V, Alpha>;
    u[0] = g[0];
    u[Alpha - 1] = g[Count - 1];
#pragma GCC unroll 4
    for (int j = 0; j < P::pairs; ++j) {
      const V square = V::broadcast(P::square[j]);
      V even = g[(Count - 1) / 2 * 2];
      V odd = g[(Count - 2) / 2 * 2 + 1];
#pragma GCC unroll 4
      for (int i = (Count - 1) / 2 * 2 - 2; i >= 0; i -= 2) even = g[i] + square * even;
#pragma GCC unroll 4
      for (int i = (Count - 2) / 2 * 2 - 1; i >= 1; i -= 2) odd = g[i] + square * odd;
      odd = V::broadcast(P::q[j]) * odd;
      u[2 * j + 1] = even + odd;
      u[2 * j + 2] = even - odd;
      if constexpr (Scaled) {
        u[2 * j + 1] = u[2 * j + 1] * V::broadcast(P::inverse_n[j]);
        u[2 * j + 2] = u[2 * j + 2] * V::broadcast(P::inverse_n[j]);
      }
    }
  }
};

// The transpose of WinogradEvaluate: A^T, and with Scaled G^T.
template <class V, int Alpha, int Count, bool Scaled>
struct WinogradCollect {
  static constexpr int in = Alpha, out = Count;

  void operator()(const V (&m)[Alpha], V (&y)[Count]) const {
    using P = WinogradPoints<V, Alpha>;
    V power[2 * P::pairs];  // of each pair, the even and the odd part times the next power of q
#pragma GCC unroll 4
    for (int j = 0; j < P::pairs; ++j) {
      V q = V::broadcast(P::q[j]);
      power[2 * j] = m[2 * j + 1] + m[2 * j + 2];
      power[2 * j + 1] = m[2 * j + 1] - m[2 * j + 2];
      if constexpr (Scaled) {
        power[2 * j] = power[2 * j] * V::broadcast(P::inverse_n[j]);
        q = V::broadcast(P::q[j] * P::inverse_n[j]);
      }
      power[2 * j + 1] = q * power[2 * j + 1];
    }
    y[0] = m[0];
#pragma GCC unroll 8
    for (int i = 0; i < Count; ++i) {
      V sum = i == Count - 1 ? m[Alpha - 1] : m[0];
      const bool has_end = i == 0 || i == Count - 1;
#pragma GCC unroll 4
      for (int j = 0; j < P::pairs; ++j) {
        V& part = power[2 * j + i % 2];
        if (i >= 2) part = V::broadcast(P::square[j]) * part;
        sum = j == 0 && !has_end ? part : sum + part;
      }
      y[i] = sum;
    }
  }
};

// Rows [First, First + Count) of f along both axes. What of f they don't need the compiler leaves out.
template <class V, int First, int Count, class F, class Load, class Store>
[[gnu::always_inline]] inline void winograd_transform_rows(F f, Load load, Store store) {
  V half[Count][F::in];
#pragma GCC unroll 8
  for (int col = 0; col < F::in; ++col) {
    V line[F::in], values[F::out];
#pragma GCC unroll 8
    for (int row = 0; row < F::in; ++row) line[row] = load(row, col);
    f(line, values);
#pragma GCC unroll 8
    for (int row = 0; row < Count; ++row) half[row][col] = values[First + row];
  }
#pragma GCC unroll 8
  for (int row = 0; row < Count; ++row) {
    V values[F::out];
    f(half[row], values);
#pragma GCC unroll 8
    for (int col = 0; col < F::out; ++col) store(First + row, col, values[col]);
  }
}

// f along both axes of a square tile: store(row, column, value) for each value, row by row, of what load(row,
// column) gives; it is asked column by column, once but where there are six rows of values. Those are made in
// groups that share most of their operations and whose values stay in registers: loading again costs less than
// storing what lies between the axes. With eight rows it costs more.
template <class V, class F, class Load, class Store>
[[gnu::always_inline]] inline void winograd_transform(F f, Load load, Store store) {
  if constexpr (F::out == 6) {
    winograd_transform_rows<V, 0, 1>(f, load, store);
    winograd_transform_rows<V, 1, 2>(f, load, store);
    winograd_transform_rows<V, 3, 2>(f, load, store);
    winograd_transform_rows<V, 5, 1>(f, load, store);
  } else {
    winograd_transform_rows<V, 0, F::out>(f, load, store);
  }
}

}  // namespace fastcnn::generic
