"""The C++ of the sandbox's two sides, as text: `SERVE` calls the program's function, `JUDGE` asks for it and judges."""

# A union without a tag crosses as its first bytes and, for members that are more than bytes, as what a child process
# reads there: reading a member that is not the one that was set may crash, and the program must not learn which one
# the tests ask for.
UNION_SERVE = r"""
#include <sys/wait.h>
#include <unistd.h>
namespace ftbench_side {
namespace {
template <class T> void put_member(bytes& out, const T& member) {
  int ends[2];
  if (pipe(ends) != 0) broken("no pipe");
  const pid_t child = fork();
  if (child < 0) broken("no child process");
  if (child == 0) {
    quiet = true;
    bytes read;
    put(read, member);
    const bool sent = send(ends[1], read.data + sizeof(size), read.count - sizeof(size));
    for (;;) kernel(call_exit, sent ? 0 : 1, 0, 0);
  }
  close(ends[1]);
  bytes got;
  unsigned char part[4096];
  for (size n; (n = fetch(ends[0], part, sizeof part)) > 0;) got.add(part, n);
  close(ends[0]);
  int status = 1;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
  const size count = status == 0 ? got.count - sizeof(size) : 0;
  out.put(count);
  out.add(got.data + sizeof(size), count);
}
}  // namespace
}  // namespace ftbench_side
"""

# In the judge a union is a struct whose members may each have a value. Where the bytes are a small number, a text or a
# vector can't lie there too: those are believed only where the first bytes could be an address.
UNION_JUDGE = r"""
namespace ftbench_side {
namespace {
struct raw { unsigned char data[16] = {}; };
template <class T> constexpr bool pointed = false;  // begins with an address, or with zeros where it is empty
template <class... R> constexpr bool pointed<std::basic_string<R...>> = true;
#ifdef _GLIBCXX_VECTOR
template <class... R> constexpr bool pointed<std::vector<R...>> = true;
#endif
template <class T> struct member {
  const T* value = nullptr;
  member() {}
  member(const T& v) : value(new T(v)) {}
  member(const raw& first, reader& in) {
    if constexpr (std::is_arithmetic_v<T>) {
      reader own{first.data, first.data + sizeof first.data};
      if (std::is_same_v<T, bool> && first.data[0] > 1) return;
      value = new T(take<T>(own));
    } else {
      const size count = in.many(1);
      if (count == 0) return;
      reader own{in.at, in.at + count};
      in.at += count;
      T got = take<T>(own);
      if (own.at != own.end) broken("more bytes than a value has");
      if constexpr (pointed<T>) {
        size address;
        __builtin_memcpy(&address, first.data, sizeof address);
        if (address ? address < 65536 || address % 8 || address >> 52 : !got.empty()) return;
      }
      value = new T(std::move(got));
    }
  }
  operator const T&() const {
    if (!value) broken("the member of the union that a test needs holds no value");
    return *value;
  }
  bool operator==(const T& other) const { return static_cast<const T&>(*this) == other; }
};
}  // namespace
}  // namespace ftbench_side
"""

SERVE = r"""
namespace ftbench_side {
namespace {
int from = -1, to = -1;
[[noreturn]] void broken(const char* why) {
  size length = 0;
  while (why[length]) ++length;
  if (!quiet) send(2, "sandbox: ", 9), send(2, why, length), send(2, "\n", 1);
  for (;;) kernel(call_exit, 70, 0, 0);
}
template <class A, class T> void changed(bytes& out, const T& value) {
  if constexpr (std::is_lvalue_reference_v<A> && !std::is_const_v<std::remove_reference_t<A>>) put(out, value);
}
void thrown(bytes& out) {
  out.clear();
  out.put(is_exception);
#define FTBENCH_TELL(n, T) catch (const T& e) { out.put((unsigned char)(n)); put<std::string>(out, e.what()); }
#define FTBENCH_HAND(n, T) catch (T e) { out.put((unsigned char)(n)); put<T>(out, e); }
  try { throw; }
  FTBENCH_TOLD(FTBENCH_TELL)
  FTBENCH_MUTE(FTBENCH_TELL)
  FTBENCH_BARE(FTBENCH_HAND)
  catch (...) {
    const std::type_info* type = abi::__cxa_current_exception_type();
    out.put((unsigned char)is_unknown);
    put(out, type ? named(*type) : std::string("an exception"));
  }
}
template <class T> struct made {  // an argument that can't be moved is made where it is needed
  reader in;
  operator T() const {
    reader again = in;
    return take<T>(again);
  }
};
template <class A, class T> A&& passed(T& value) { return static_cast<A&&>(value); }
template <class A> const made<A>& passed(made<A>& value) { return value; }
template <class R, class... A> struct server {
  using function = R (*)(A...);
  template <class... D> static void run(function f, bytes& out, D&... args) {
    try {
      if constexpr (std::is_void_v<R>) {
        f(passed<A>(args)...);
        out.put(is_value);
      } else {
        static_assert(!std::is_reference_v<R> || std::is_const_v<std::remove_reference_t<R>>,
                      "a reference that the tests can change can't cross between the two sides of the sandbox");
        R&& result = f(passed<A>(args)...);
        try {
          out.put(is_value);
          put<bare<R>>(out, result);
        } catch (const unknown& what) {
          out.clear();
          out.put(is_not_plain);
          put(out, what.name);
        }
      }
    } catch (const abi::__forced_unwind&) {
      throw;  // of pthread_exit
    } catch (...) {
      thrown(out);
    }
    (changed<A>(out, args), ...);
  }
  template <class T, class... L> static void next(function f, reader& in, bytes& out, L&... args) {
    if constexpr (std::is_reference_v<T> || std::is_move_constructible_v<T>) {
      bare<T> arg = take<bare<T>>(in);
      call(f, in, out, args..., arg);
    } else {
      made<T> arg{in};
      { T skipped = take<T>(in); }
      call(f, in, out, args..., arg);
    }
  }
  template <class... D> static void call(function f, reader& in, bytes& out, D&... args) {
    if constexpr (sizeof...(D) == sizeof...(A)) run(f, out, args...);
    else next<nth<sizeof...(D), A...>>(f, in, out, args...);
  }
  template <size N, class T, class... L> struct pick { using type = typename pick<N - 1, L...>::type; };
  template <class T, class... L> struct pick<0, T, L...> { using type = T; };
  template <size N, class... L> using nth = typename pick<N, L...>::type;
};
template <class R, class... A> void serve(R (*f)(A...)) {
  bytes out;
  size count;
  while (fetch(from, &count, sizeof count) == sizeof count) {
    unsigned char* data = static_cast<unsigned char*>(std::malloc(count + 1));
    if (!data) broken("no memory for a message");
    if (fetch(from, data, count) != count) break;
    reader in{data, data + count};
    out.clear();
    server<R, A...>::call(f, in, out);
    std::free(data);
    if (!out.sent(to)) break;
  }
}
}  // namespace
}  // namespace ftbench_side
int main(int, char** words) {
  ftbench_side::from = ftbench_side::number(words[1]);
  ftbench_side::to = ftbench_side::number(words[2]);
  ftbench_side::serve(static_cast<std::add_pointer_t<decltype(ftbench_declared::FTBENCH_NAME)>>(&::FTBENCH_NAME));
  return 0;
}
"""

# The verdict is written when the process ends, after the tests' own destructors, or at the first failure.
JUDGE = r"""
namespace ftbench_side {
// Declared here, because <csignal> would bring names along that a plain run does not have.
extern "C" void (*signal(int, void (*)(int)) noexcept)(int);
namespace {
int from = -1, to = -1, told = -1;
void verdict(const char* status, const std::string& reason) {
  std::string line = status;
  if (!reason.empty()) line += ' ';
  for (const unsigned char c : reason.substr(0, 300)) line += c < 32 || c > 126 ? '?' : char(c);
  line += '\n';
  send(told, line.data(), line.size());
  told = -1;
}
[[noreturn]] void ended(const char* status, const std::string& reason) {
  verdict(status, reason);
  for (;;) kernel(call_exit, 0, 0, 0);
}
[[noreturn]] void broken(const char* why) { ended("failed", why); }
void uncaught() {
  try {
    if (std::current_exception()) throw;
  } catch (const std::exception& e) {
    ended("failed", named(typeid(e)) + ": " + e.what());
  } catch (const unknown& e) {
    ended("failed", "an exception of type " + e.name);
  } catch (...) {
    const std::type_info* type = abi::__cxa_current_exception_type();
    ended("failed", "an exception" + (type ? " of type " + named(*type) : std::string()));
  }
  ended("failed", "std::terminate");
}
void over(int status, void*) {
  if (status == 0) verdict("passed", "");
  else ended("failed", "the tests ended with status " + std::to_string(status));
}
__attribute__((constructor(101))) void begin(int, char** words, char**) {
  from = number(words[1]);
  to = number(words[2]);
  told = number(words[3]);
  signal(13, reinterpret_cast<void (*)(int)>(1));  // SIGPIPE is ignored
  std::set_terminate(uncaught);
  on_exit(over, nullptr);
}
template <class B> struct heard : B {  // an exception of a type that carries no text, with its text
  std::string text;
  heard(const std::string& said) : text(said) {}
  const char* what() const noexcept override { return text.c_str(); }
};
[[noreturn]] void raise(unsigned char which, reader& in, const std::string& text) {
  switch (which) {
#define FTBENCH_SAY(n, T) case n: throw T(text);
#define FTBENCH_SHOW(n, T) case n: if (text == T().what()) throw T(); else throw heard<T>(text);
#define FTBENCH_GIVE(n, T) case n: throw take<T>(in);
    FTBENCH_TOLD(FTBENCH_SAY)
    FTBENCH_MUTE(FTBENCH_SHOW)
    case is_unknown: throw unknown{text};
  }
  broken("an exception of no known type");
}
template <class A, class T> void changed(reader& in, T& value) {
  if constexpr (std::is_lvalue_reference_v<A> && !std::is_const_v<std::remove_reference_t<A>>)
    value = take<bare<A>>(in);
}
struct reply {
  unsigned char* data = nullptr;
  reader in{nullptr, nullptr};
  explicit reply(bytes& out) {
    if (!out.sent(to)) ended("ended", "");
    size count;
    if (fetch(from, &count, sizeof count) != sizeof count) ended("ended", "");
    if (count > most) broken("an answer of more than 64 MiB");
    // Pages are taken as they come: a length that is not followed by as many bytes costs nothing.
    data = static_cast<unsigned char*>(std::malloc(count + 1));
    if (!data) broken("no memory for an answer");
    if (fetch(from, data, count) != count) ended("ended", "");
    in = {data, data + count};
  }
  reply(const reply&) = delete;
  ~reply() { std::free(data); }
  void finish() { if (in.at != in.end) broken("an answer with more bytes than it needs"); }
};
struct frugal {  // an answer that takes more memory than there is must not be an exception that the tests could catch
  std::new_handler before = std::set_new_handler([] { broken("no memory for an answer"); });
  ~frugal() { std::set_new_handler(before); }
};
template <class F> struct stub;
template <class R, class... A> struct stub<R(A...)> {
  template <class... B> static R call(B&... args) {
    frugal guard;
    bytes out;
    (put<bare<A>>(out, args), ...);
    reply got(out);
    reader& in = got.in;
    const unsigned char kind = in.get<unsigned char>();
    if (kind == is_not_plain) ended("not-plain", take<std::string>(in));
    if (kind == is_exception) {
      const unsigned char which = in.get<unsigned char>();
      try {
        switch (which) { FTBENCH_BARE(FTBENCH_GIVE) }
        const std::string text = take<std::string>(in);
        raise(which, in, text);
      } catch (...) {
        (changed<A>(in, args), ...);
        got.finish();
        throw;
      }
    }
    if (kind != is_value) broken("an answer of no known kind");
    if constexpr (std::is_void_v<R>) {
      (changed<A>(in, args), ...);
      got.finish();
    } else if constexpr (std::is_reference_v<R>) {
      auto* kept = new bare<R>(take<bare<R>>(in));
      (changed<A>(in, args), ...);
      got.finish();
      return *kept;
    } else {
      bare<R> result = take<bare<R>>(in);
      (changed<A>(in, args), ...);
      got.finish();
      return result;
    }
  }
};
template <class R, class... A> struct stub<R(A...) noexcept> : stub<R(A...)> {};
}  // namespace
}  // namespace ftbench_side
extern "C" [[noreturn]] void __assert_fail(const char* what, const char*, unsigned, const char*) noexcept {
  ftbench_side::ended("failed", std::string("assertion failed: ") + what);
}
"""
