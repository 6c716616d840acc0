// Refused: PINNED and the others say for what.
#include <string.h>
#include <trellis/abi.h>

#ifndef NO_NOTE
#ifndef MANIFEST_MAJOR
#define MANIFEST_MAJOR TL_ABI_MAJOR
#endif
#ifndef MANIFEST_ID
#define MANIFEST_ID "pinned"
#endif
__attribute__((used, retain, section(".note.trellis"), aligned(4))) static const tl_note note = {
    8, sizeof(tl_manifest), 1, "Trellis", {sizeof(tl_manifest), MANIFEST_MAJOR, 0, 100, MANIFEST_ID, "1.0.0", ""}};
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
