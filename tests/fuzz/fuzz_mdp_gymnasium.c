/// Any text as a transition dictionary. It is refused with a message, or it gives a valid problem
/// that is equal after writing and reading.
#include "fuzz/fuzz_mdp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  CelMdp *mdp = NULL, *back = NULL;
  if (!fuzz_read(
          celi_mdp_parse_gymnasium(&mdp, "fuzz", (const char *)data, size, LOAD_DISCOUNT(0.9)),
          mdp)) {
    return 0;
  }
  CeliOut out = {.writer = NULL};
  celi_mdp_emit_gymnasium(&out, mdp);
  if (celi_out_finish(&out) != CEL_OK) abort();
  const CelStatus status =
      celi_mdp_parse_gymnasium(&back, "back", out.text.data, out.text.size, LOAD_DISCOUNT(0.9));
  fuzz_compare(status, mdp, back);
  if (strcmp(mdp->name, back->name) != 0 && mdp->name[0] != 0) abort();
  celi_text_free(&out.text);
  cel_mdp_destroy(mdp);
  cel_mdp_destroy(back);
  return 0;
}
