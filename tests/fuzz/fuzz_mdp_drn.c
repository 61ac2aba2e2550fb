/// Any text as a DRN file. It is refused with a message, or it gives a valid problem that is equal
/// after writing and reading.
#include "fuzz/fuzz_mdp.h"
#include "mdp/formats/drn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  CelMdp *mdp = NULL, *back = NULL;
  if (fuzz_is_large(data, size)) return 0;
  if (!fuzz_read(celi_mdp_parse_drn(&mdp, "fuzz", (const char *)data, size, FUZZ_REWARD("none")),
                 mdp))
    return 0;
  CeliOut out = {.writer = NULL};
  if (celi_mdp_check_drn(mdp) != CEL_OK) abort();
  celi_mdp_emit_drn(&out, mdp);
  if (celi_out_finish(&out) != CEL_OK) abort();
  const CelStatus status =
      celi_mdp_parse_drn(&back, "back", out.text.data, out.text.size, FUZZ_REWARD("none"));
  fuzz_compare(status, mdp, back);
  fuzz_compare_names(mdp, back);
  celi_text_free(&out.text);
  cel_mdp_destroy(mdp);
  cel_mdp_destroy(back);
  return 0;
}
