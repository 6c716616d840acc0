/* Claims an ABI that no host has. Its code must never run: the entry ends the process. */
#include <stdlib.h>
#include <trellis/abi.h>

#if defined(__clang__)
__attribute__((no_sanitize("address"))) /* it would pad the note */
#endif
__attribute__((used, retain, section(".note.trellis"), aligned(4))) static const tl_note kNote = {
    .name_size = 8,
    .desc_size = sizeof(tl_manifest),
    .type = 1,
    .name = "Trellis",
    .manifest = {.size = sizeof(tl_manifest), .abi_major = 9, .abi_minor = 0, .id = "wrong_abi", .version = "1.0.0"},
};

__attribute__((constructor)) static void loaded(void) { abort(); }

tl_status trellis_plugin_v1(const tl_entry_args* args, tl_plugin* out, char* why, uint64_t why_size) {
  (void)args, (void)out, (void)why, (void)why_size;
  abort();
}
