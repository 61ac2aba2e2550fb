/// Any four texts as .tra, .trew, .srew and .lab files, separated by lines of "====". They are
/// refused with a message, or they give a valid problem that is equal after writing and reading.
#include "fuzz/fuzz_mdp.h"
#include "mdp/formats/prism.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static CeliPrismTexts split(const char *data, size_t size) {
  CeliPrismTexts texts = {.path = {"fuzz.tra", "fuzz.trew", "fuzz.srew", "fuzz.lab"}};
  const char *end = data + size;
  for (int i = 0; i < 4; i++) {
    const char *next = i < 3 ? memmem(data, (size_t)(end - data), "\n====\n", 6) : NULL;
    const char *stop = next ? next + 1 : end;
    texts.size[i] = (size_t)(stop - data);
    texts.data[i] = data;
    if (!next) break;
    data = next + 6;
  }
  return texts;
}

static void write_and_read(const CelMdp *mdp) {
  CeliOut out[4] = {{.writer = NULL}};
  CeliPrismTexts texts = {.path = {"back.tra", "back.trew", "back.srew", "back.lab"}};
  CelMdp *back = NULL;
  if (celi_mdp_check_prism(mdp) != CEL_OK) abort();
  for (int i = 0; i < 4; i++) {
    celi_mdp_emit_prism(&out[i], mdp, i, NULL);
    if (celi_out_finish(&out[i]) != CEL_OK) abort();
    texts.data[i] = out[i].text.data;
    texts.size[i] = out[i].text.size;
  }
  fuzz_compare(celi_mdp_parse_prism(&back, &texts, LOAD_DISCOUNT(0.9)), mdp, back);
  cel_mdp_destroy(back);
  for (int i = 0; i < 4; i++) celi_text_free(&out[i].text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  CelMdp *mdp = NULL;
  if (fuzz_is_large(data, size)) return 0;
  const CeliPrismTexts texts = split((const char *)data, size);
  if (!fuzz_read(celi_mdp_parse_prism(&mdp, &texts, LOAD_DISCOUNT(0.9)), mdp)) return 0;
  write_and_read(mdp);
  cel_mdp_destroy(mdp);
  return 0;
}
