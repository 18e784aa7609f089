// A SIMD vector by the compiler's vector extensions. `Tag` is the ISA's own type: it makes every
// template instantiated over Vec a symbol of that ISA alone, so nothing compiled for a newer CPU can
// be picked by the linker for an older one. For that reason: in backend/cpu/generic/ everything is a template
// over Vec, and only C headers are included.
#pragma once

#include <stdint.h>

namespace fastcnn::generic {

template <class Scalar, int Bytes, class Tag>
struct Vec {
  using T = Scalar;
  using Isa = Tag;
  static constexpr int size = Bytes / static_cast<int>(sizeof(T));
  typedef T Raw __attribute__((vector_size(Bytes)));
  typedef T Unaligned __attribute__((vector_size(Bytes), aligned(sizeof(T)), may_alias));

  Raw raw;

  static Vec load(const T* p) { return {*reinterpret_cast<const Unaligned*>(p)}; }
  void store(T* p) const { *reinterpret_cast<Unaligned*>(p) = raw; }
  // Minus 0 is the identity, which the compiler drops; plus 0 is not (it changes -0) and would stay.
  static Vec broadcast(T x) { return {x - Raw{}}; }
  // The first `count` <= size elements; the rest are 0. Masked where the ISA's tag knows how.
  static Vec load_partial(const T* p, int64_t count) {
    if constexpr (requires { Tag::load_partial(p, count); }) {
      return {Tag::load_partial(p, count)};
    } else {
      Vec v{};
      for (int64_t i = 0; i < count; ++i) v.raw[i] = p[i];
      return v;
    }
  }
  void store_partial(T* p, int64_t count) const {
    if constexpr (requires { Tag::store_partial(p, count, raw); }) {
      Tag::store_partial(p, count, raw);
    } else {
      for (int64_t i = 0; i < count; ++i) p[i] = raw[i];
    }
  }

  // Writes past the caches where the ISA can: what is not read soon need not be fetched to be overwritten.
  // Aligned like Raw; end_stream() before another thread is told.
  void stream(T* p) const {
    if constexpr (requires { Tag::stream(p, raw); }) {
      Tag::stream(p, raw);
    } else {
      store(p);
    }
  }
  static void end_stream() {
    if constexpr (requires { Tag::end_stream(); }) Tag::end_stream();
  }

  // The same, and certainly loaded: a load that is merged into a condition waits for it.
  friend Vec loaded(Vec a) {
    if constexpr (requires { Tag::keep(a.raw); }) Tag::keep(a.raw);
    return a;
  }
  friend Vec operator+(Vec a, Vec b) { return {a.raw + b.raw}; }
  friend Vec operator-(Vec a, Vec b) { return {a.raw - b.raw}; }
  friend Vec operator*(Vec a, Vec b) { return {a.raw * b.raw}; }
  friend Vec operator/(Vec a, Vec b) { return {a.raw / b.raw}; }
  friend Vec abs(Vec a) {
    using Bits = decltype(Raw{} > Raw{});
    return {reinterpret_cast<Raw>(reinterpret_cast<Bits>(a.raw) & ~reinterpret_cast<Bits>(-Raw{}))};
  }
  friend Vec sqrt(Vec a) { return {Isa::sqrt(a.raw)}; }
  // a where a > b, else b: NaN in a gives b.
  friend Vec max(Vec a, Vec b) { return {a.raw > b.raw ? a.raw : b.raw}; }
};

}  // namespace fastcnn::generic
