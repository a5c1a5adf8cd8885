/* Whether this program is built with the address sanitizer, by gcc's and by clang's sign of it. */
#ifndef TIDEGATE_TESTS_SANITIZER_H
#define TIDEGATE_TESTS_SANITIZER_H

#if defined(__SANITIZE_ADDRESS__)
#define UNDER_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNDER_SANITIZER 1
#endif
#endif
#ifndef UNDER_SANITIZER
#define UNDER_SANITIZER 0
#endif

#endif
