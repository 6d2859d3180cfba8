"""The C++ that turns values into bytes and back, on both sides of the sandbox, as text.

All of it has internal linkage, so that no name of a program meets one of ours, and the parts for a library type are
there only where its header is (libstdc++'s own include guards tell). Bytes are the machine's own: both sides run there.
"""

# Raw system calls, because an honest program may have a function of its own that the linker takes for `read`.
WIRE = r"""
#include <cxxabi.h>
#include <cstdlib>
#include <exception>
#include <new>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <utility>
namespace ftbench_side {
namespace {
using size = decltype(sizeof 0);
constexpr size most = size(64) << 20;  // bytes of one message
[[noreturn]] void broken(const char* why);
[[maybe_unused]] bool quiet = false;

#if defined(__x86_64__)
enum { call_read = 0, call_write = 1, call_exit = 231 };
[[maybe_unused]] long kernel(long n, long a, long b, long c) {
  long r;
  asm volatile("syscall" : "=a"(r) : "a"(n), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
  return r;
}
#else
enum { call_read = 63, call_write = 64, call_exit = 94 };
[[maybe_unused]] long kernel(long n, long a, long b, long c) {
  register long x8 asm("x8") = n;
  register long x0 asm("x0") = a;
  register long x1 asm("x1") = b;
  register long x2 asm("x2") = c;
  asm volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
  return x0;
}
#endif
[[maybe_unused]] size fetch(int from, void* to, size count) {
  size got = 0;
  while (got < count) {
    const long n = kernel(call_read, from, long(static_cast<char*>(to) + got), long(count - got));
    if (n == -4) continue;  // interrupted
    if (n <= 0) break;
    got += size(n);
  }
  return got;
}
[[maybe_unused]] bool send(int to, const void* from, size count) {
  for (size done = 0; done < count;) {
    const long n = kernel(call_write, to, long(static_cast<const char*>(from) + done), long(count - done));
    if (n == -4) continue;
    if (n <= 0) return false;
    done += size(n);
  }
  return true;
}
[[maybe_unused]] int number(const char* text) {
  int n = 0;
  while (*text >= '0' && *text <= '9') n = n * 10 + (*text++ - '0');
  return n;
}

struct bytes {  // what is to be sent: its length in 8 bytes, then itself
  unsigned char* data = nullptr;
  size count = 0, room = 0;
  bytes() { clear(); }
  bytes(const bytes&) = delete;
  ~bytes() { std::free(data); }
  void clear() {
    count = 0;
    put(size(0));
  }
  void add(const void* from, size n) {
    if (n > most || count + n > most) broken("a message of more than 64 MiB");
    if (count + n > room) {
      room = 2 * (count + n) + 256;
      data = static_cast<unsigned char*>(std::realloc(data, room));
      if (!data) broken("no memory for a message");
    }
    if (n) __builtin_memcpy(data + count, from, n);
    count += n;
  }
  template <class T> void put(T value) { add(&value, sizeof value); }
  bool sent(int to) {
    const size length = count - sizeof(size);
    __builtin_memcpy(data, &length, sizeof length);
    return send(to, data, count);
  }
};
struct reader {  // what has come: nothing is taken beyond its end, no count is believed that can't be true
  const unsigned char *at, *end;
  void take(void* to, size n) {
    if (size(end - at) < n) broken("a message is cut short");
    if (n) __builtin_memcpy(to, at, n);
    at += n;
  }
  template <class T> T get() {
    T value;
    take(&value, sizeof value);
    return value;
  }
  size many(size each) {
    const size n = get<size>();
    if (n > size(end - at) / each) broken("a message is shorter than it says");
    return n;
  }
};
struct deeper {  // std::any may hold vectors of std::any
  static inline int depth = 0;
  deeper() { if (++depth > 64) broken("values nested too deep"); }
  ~deeper() { --depth; }
};
struct unknown { std::string name; };  // something of no type that can cross, thrown or held
[[maybe_unused]] std::string named(const std::type_info& type) {
  char* text = abi::__cxa_demangle(type.name(), nullptr, nullptr, nullptr);
  std::string name = text ? text : type.name();
  std::free(text);
  return name;
}

// Every value takes at least one byte, so that a count can be held against the bytes that are left.
template <class T, class = void> struct codec {
  static_assert(!sizeof(T*), "a value of this type can't cross between the two sides of the sandbox");
  static void put(bytes&, const T&);
  static T take(reader&);
};
template <class T> using bare = std::remove_cv_t<std::remove_reference_t<T>>;
template <class T> void put(bytes& out, const T& value) { codec<T>::put(out, value); }
template <class T> T take(reader& in) { return codec<T>::take(in); }

template <class T> struct codec<T, std::enable_if_t<std::is_arithmetic_v<T> || std::is_enum_v<T>>> {
  static void put(bytes& out, const T& value) { out.put(value); }
  static T take(reader& in) {
    if constexpr (std::is_same_v<T, bool>) {
      const unsigned char value = in.get<unsigned char>();
      if (value > 1) broken("a bool that is neither true nor false");
      return value;
    } else {
      return in.get<T>();
    }
  }
};
template <class T> struct alone {  // types of one value
  static void put(bytes& out, const T&) { out.put('\0'); }
  static T take(reader& in) {
    in.get<char>();
    return T{};
  }
};
template <> struct codec<std::nullptr_t> : alone<std::nullptr_t> {};
template <class C, class... R> struct codec<std::basic_string<C, R...>> {
  static void put(bytes& out, const std::basic_string<C, R...>& text) {
    out.put(size(text.size()));
    out.add(text.data(), text.size() * sizeof(C));
  }
  static std::basic_string<C, R...> take(reader& in) {
    const size n = in.many(sizeof(C));
    std::basic_string<C, R...> text(n, C());
    in.take(&text[0], n * sizeof(C));
    return text;
  }
};
template <> struct codec<const char*> {
  static void put(bytes& out, const char* text) {
    out.put(char(text != nullptr));
    if (text) ftbench_side::put(out, std::string(text));
  }
  static const char* take(reader& in) {  // never freed: as a literal, it is there for good
    return in.get<char>() ? (new std::string(codec<std::string>::take(in)))->c_str() : nullptr;
  }
};
template <class A, class B> struct codec<std::pair<A, B>> {
  static void put(bytes& out, const std::pair<A, B>& value) {
    ftbench_side::put(out, value.first);
    ftbench_side::put(out, value.second);
  }
  static std::pair<A, B> take(reader& in) {
    auto first = ftbench_side::take<bare<A>>(in);
    auto second = ftbench_side::take<bare<B>>(in);
    return {std::move(first), std::move(second)};
  }
};
template <class T> struct many {
  static void put(bytes& out, const T& values) {
    out.put(size(values.size()));
    for (auto&& value : values) ftbench_side::put<typename T::value_type>(out, value);
  }
};
template <class T> struct row : many<T> {
  static T take(reader& in) {
    T values;
    for (size n = in.many(1); n > 0; --n) values.push_back(ftbench_side::take<typename T::value_type>(in));
    return values;
  }
};
template <class T> struct keys : many<T> {
  static T take(reader& in) {
    T values;
    for (size n = in.many(1); n > 0; --n) values.insert(values.end(), ftbench_side::take<typename T::value_type>(in));
    return values;
  }
};
#ifdef _GLIBCXX_VECTOR
template <class... R> struct codec<std::vector<R...>> : row<std::vector<R...>> {};
#endif
#ifdef _GLIBCXX_DEQUE
template <class... R> struct codec<std::deque<R...>> : row<std::deque<R...>> {};
#endif
#ifdef _GLIBCXX_LIST
template <class... R> struct codec<std::list<R...>> : row<std::list<R...>> {};
#endif
#ifdef _GLIBCXX_MAP
template <class... R> struct codec<std::map<R...>> : keys<std::map<R...>> {};
template <class... R> struct codec<std::multimap<R...>> : keys<std::multimap<R...>> {};
#endif
#ifdef _GLIBCXX_SET
template <class... R> struct codec<std::set<R...>> : keys<std::set<R...>> {};
template <class... R> struct codec<std::multiset<R...>> : keys<std::multiset<R...>> {};
#endif
#ifdef _GLIBCXX_UNORDERED_MAP
template <class... R> struct codec<std::unordered_map<R...>> : keys<std::unordered_map<R...>> {};
template <class... R> struct codec<std::unordered_multimap<R...>> : keys<std::unordered_multimap<R...>> {};
#endif
#ifdef _GLIBCXX_UNORDERED_SET
template <class... R> struct codec<std::unordered_set<R...>> : keys<std::unordered_set<R...>> {};
template <class... R> struct codec<std::unordered_multiset<R...>> : keys<std::unordered_multiset<R...>> {};
#endif
#ifdef _GLIBCXX_ARRAY
template <class T, size N> struct codec<std::array<T, N>> {
  static void put(bytes& out, const std::array<T, N>& values) {
    out.put('\0');
    for (const T& value : values) ftbench_side::put(out, value);
  }
  static std::array<T, N> take(reader& in) {
    in.get<char>();
    std::array<T, N> values;
    for (size n = 0; n < N; ++n) values[n] = ftbench_side::take<T>(in);
    return values;
  }
};
#endif
#ifdef _GLIBCXX_TUPLE
template <class... T> struct codec<std::tuple<T...>> {
  static void put(bytes& out, const std::tuple<T...>& value) {
    out.put('\0');
    std::apply([&](const T&... part) { (ftbench_side::put(out, part), ...); }, value);
  }
  static std::tuple<T...> take(reader& in) {
    in.get<char>();
    return std::tuple<T...>{ftbench_side::take<T>(in)...};
  }
};
#endif
#ifdef _GLIBCXX_OPTIONAL
template <class T> struct codec<std::optional<T>> {
  static void put(bytes& out, const std::optional<T>& value) {
    out.put(char(value.has_value()));
    if (value) ftbench_side::put(out, *value);
  }
  static std::optional<T> take(reader& in) {
    if (!in.get<char>()) return std::nullopt;
    return std::optional<T>(std::in_place, ftbench_side::take<T>(in));
  }
};
template <> struct codec<std::nullopt_t> {
  static void put(bytes& out, std::nullopt_t) { out.put('\0'); }
  static std::nullopt_t take(reader& in) { return in.get<char>(), std::nullopt; }
};
#endif
#ifdef _GLIBCXX_VARIANT
template <> struct codec<std::monostate> : alone<std::monostate> {};
template <class... T> struct codec<std::variant<T...>> {
  using held = std::variant<T...>;
  static void put(bytes& out, const held& value) {
    if (value.valueless_by_exception()) broken("a variant without a value");
    out.put(size(value.index()));
    std::visit([&](const auto& part) { ftbench_side::put(out, part); }, value);
  }
  template <size... N> static held chosen(reader& in, size which, std::index_sequence<N...>) {
    using maker = held (*)(reader&);
    static const maker makers[] = {
        [](reader& from) { return held(std::in_place_index<N>, ftbench_side::take<T>(from)); }...};
    if (which >= sizeof...(T)) broken("a variant of no such type");
    return makers[which](in);
  }
  static held take(reader& in) {
    const size which = in.get<size>();
    return chosen(in, which, std::index_sequence_for<T...>());
  }
};
#endif
#ifdef _GLIBCXX_BITSET
template <size N> struct codec<std::bitset<N>> {
  static void put(bytes& out, const std::bitset<N>& value) { ftbench_side::put(out, value.to_string()); }
  static std::bitset<N> take(reader& in) {
    const std::string text = ftbench_side::take<std::string>(in);
    if (text.size() != N || text.find_first_not_of("01") != text.npos) broken("no bitset");
    return std::bitset<N>(text);
  }
};
#endif
#ifdef _GLIBCXX_COMPLEX
template <class T> struct codec<std::complex<T>> {
  static void put(bytes& out, const std::complex<T>& value) { out.put(value.real()), out.put(value.imag()); }
  static std::complex<T> take(reader& in) {
    const T real = in.get<T>();
    return std::complex<T>(real, in.get<T>());
  }
};
#endif
#ifdef _GLIBCXX_STRING_VIEW
template <class C, class R> struct codec<std::basic_string_view<C, R>> {
  static void put(bytes& out, const std::basic_string_view<C, R>& text) {
    ftbench_side::put(out, std::basic_string<C, R>(text));
  }
  static std::basic_string_view<C, R> take(reader& in) {
    return *new std::basic_string<C, R>(ftbench_side::take<std::basic_string<C, R>>(in));
  }
};
#endif
#if defined _GLIBCXX_ANY && defined FTBENCH_HELD
template <class...> struct types {};
template <> struct codec<std::any> {
  template <class T> static bool puts(bytes& out, const std::any& value, unsigned char which) {
    if (value.type() != typeid(T)) return false;
    out.put(which);
    ftbench_side::put(out, *std::any_cast<T>(&value));
    return true;
  }
  template <class... T> static void put(bytes& out, const std::any& value, types<T...>) {
    unsigned char which = 0;
    if (!value.has_value()) out.put(which);
    else if (!(puts<T>(out, value, ++which) || ...)) throw unknown{named(value.type())};
  }
  static void put(bytes& out, const std::any& value) {
    deeper level;
    put(out, value, types<FTBENCH_HELD>());
  }
  template <class... T> static std::any take(reader& in, types<T...>) {
    using maker = std::any (*)(reader&);
    static const maker makers[] = {
        [](reader& from) { return std::any(std::in_place_type<T>, ftbench_side::take<T>(from)); }...};
    const unsigned char which = in.get<unsigned char>();
    if (which > sizeof...(T)) broken("a std::any of no such type");
    return which ? makers[which - 1](in) : std::any();
  }
  static std::any take(reader& in) {
    deeper level;
    return take(in, types<FTBENCH_HELD>());
  }
};
#endif

// Exceptions. Derived types come first; what is none of these arrives as its nearest base.
#define FTBENCH_TOLD(X)                                                                          \
  X(1, std::invalid_argument) X(2, std::domain_error) X(3, std::length_error)                    \
  X(4, std::out_of_range) X(5, std::logic_error) X(6, std::range_error)                          \
  X(7, std::overflow_error) X(8, std::underflow_error) X(9, std::runtime_error)
#ifdef _GLIBCXX_OPTIONAL
#define FTBENCH_MUTE_OPTIONAL(X) X(20, std::bad_optional_access)
#else
#define FTBENCH_MUTE_OPTIONAL(X)
#endif
#ifdef _GLIBCXX_VARIANT
#define FTBENCH_MUTE_VARIANT(X) X(21, std::bad_variant_access)
#else
#define FTBENCH_MUTE_VARIANT(X)
#endif
#ifdef _GLIBCXX_ANY
#define FTBENCH_MUTE_ANY(X) X(22, std::bad_any_cast)
#else
#define FTBENCH_MUTE_ANY(X)
#endif
#define FTBENCH_MUTE(X)                                                                          \
  FTBENCH_MUTE_OPTIONAL(X) FTBENCH_MUTE_VARIANT(X) FTBENCH_MUTE_ANY(X)                           \
  X(23, std::bad_array_new_length) X(24, std::bad_alloc) X(25, std::bad_cast)                    \
  X(26, std::bad_typeid) X(27, std::bad_exception) X(28, std::exception)
#define FTBENCH_BARE(X)                                                                          \
  X(40, int) X(41, long) X(42, unsigned) X(43, unsigned long) X(44, char) X(45, double)          \
  X(46, float) X(47, const char*) X(48, std::string) X(49, bool)
enum : unsigned char { is_value, is_exception, is_not_plain };
enum : unsigned char { is_unknown = 0 };
}  // namespace
}  // namespace ftbench_side
"""
