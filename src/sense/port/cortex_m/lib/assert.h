// What an assertion that fails says here: where. Expressions and functions' names would take 5 KB.
// As with every assert.h, the last word on NDEBUG counts; ours are never left out.
#undef assert
#define assert(holds) ((holds) ? (void)0 : stator_assertion_failed(__FILE__, __LINE__))

#ifndef __cplusplus
#define static_assert _Static_assert
#endif

#ifdef __cplusplus
extern "C"
#endif
    __attribute__((noreturn)) void
    stator_assertion_failed(const char* file, int line);
