/// Any text as a .mdp file. It is refused with a message, or it gives a valid problem that is equal
/// after writing and reading.
#include "fuzz/fuzz_mdp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  CelMdp *mdp = NULL, *back = NULL;
  if (fuzz_is_large(data, size)) return 0;
  if (!fuzz_read(
          celi_mdp_parse_cassandra(&mdp, "fuzz", (const char *)data, size, LOAD_DISCOUNT(0.9)),
          mdp)) {
    return 0;
  }
  if (mdp->transitions < 1000) {
    CeliOut out = {.writer = NULL};
    if (celi_mdp_check_cassandra(mdp) != CEL_OK) abort();
    celi_mdp_emit_cassandra(&out, mdp);
    if (celi_out_finish(&out) != CEL_OK) abort();
    const CelStatus status =
        celi_mdp_parse_cassandra(&back, "back", out.text.data, out.text.size, LOAD_DISCOUNT(0.9));
    fuzz_compare(status, mdp, back);
    celi_text_free(&out.text);
  }
  cel_mdp_destroy(mdp);
  cel_mdp_destroy(back);
  return 0;
}
