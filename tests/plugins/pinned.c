// Refused: PINNED and the others say for what.
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <trellis/abi.h>

#ifndef NO_NOTE
#ifndef MANIFEST_NEEDS
#define MANIFEST_NEEDS ""
#endif
#ifndef MANIFEST_MAJOR
#define MANIFEST_MAJOR TL_ABI_MAJOR
#endif
#ifndef MANIFEST_ID
#define MANIFEST_ID "pinned"
#endif
__attribute__((used, retain, section(".note.trellis"), aligned(4))) static const tl_note note = {
    8, sizeof(tl_manifest), 1, "Trellis", {sizeof(tl_manifest), MANIFEST_MAJOR, 0, 100, MANIFEST_ID, "1.0.0", MANIFEST_NEEDS}};
#endif

#ifndef NO_ENTRY
tl_status trellis_plugin_v1(const tl_entry_args* args, tl_plugin* out, char* text, uint64_t text_size) {
  (void)args;
  (void)out;
  if (text_size) text[0] = 0;
  return TL_FAILED;
}
#endif

#ifdef UNIQUE
__asm__(
    ".globl unique_one\n.type unique_one, @gnu_unique_object\n.data\nunique_one: .long 1\n.size unique_one, "
    "4\n.text\n");
#endif

#ifdef STATIC_TLS
static __thread int kept __attribute__((tls_model("initial-exec")));
int* where_kept(void);
int* where_kept(void) { return &kept; }
#endif

#ifdef THREAD_LOCAL
// What a compiler makes of a thread_local object with a destructor.
int __cxa_thread_atexit_impl(void (*end)(void*), void* object, void* library);
extern void* __dso_handle;
static void end(void* object) { (void)object; }
void keep(void);
void keep(void) { __cxa_thread_atexit_impl(end, 0, &__dso_handle); }
#endif

#ifdef TEXT_RELOCATION
__asm__(".text\n.balign 8\n.quad trellis_plugin_v1\n");
#endif

#ifdef DOUBTFUL
int a_leak(void);
int a_leak(void) {
  setenv("A", "b", 1);
  if (system("true")) abort();
  return 1;
}
#endif
