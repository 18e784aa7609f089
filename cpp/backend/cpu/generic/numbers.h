// Numbers known to the compiler, for loops that it unrolls one by one: std::integer_sequence without its header.
#pragma once

namespace fastcnn::generic {

template <int... I>
struct Numbers {};
template <int N, int... I>
struct NumbersBelow : NumbersBelow<N - 1, N - 1, I...> {};
template <int... I>
struct NumbersBelow<0, I...> {
  using type = Numbers<I...>;
};

}  // namespace fastcnn::generic
