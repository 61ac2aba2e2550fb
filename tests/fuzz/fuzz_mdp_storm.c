/// Any four texts as Storm's .tra, .trans.rew, .state.rew and .lab files, separated by lines of
/// "====". They are refused with a message, or they give a valid problem that is equal after
/// writing and reading.
#include "fuzz/fuzz_mdp.h"
#include "mdp/formats/storm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put(CeliPrismTexts *texts, CeliPrismReward *reward, int i, const char *data,
                size_t size) {
  static const char *const names[] = {"f.tra", "f.r.trans.rew", "f.r.state.rew", "f.lab"};
  if (i == 1 || i == 2) {
    reward->path[i - 1] = names[i];
    reward->data[i - 1] = data;
    reward->size[i - 1] = size;
    texts->rewards = 1;
  } else {
    texts->path[i] = names[i];
    texts->data[i] = data;
    texts->size[i] = size;
  }
}

static void write_and_read(const CelMdp *mdp) {
  CeliOut out[4] = {{.writer = NULL}};
  CeliPrismReward reward = {.name = "r"};
  CeliPrismTexts texts = {.reward = &reward};
  CelMdp *back = NULL;
  if (celi_mdp_check_storm(mdp) != CEL_OK) abort();
  for (int i = 0; i < 4; i++) {
    const bool of_reward = i == 1 || i == 2;
    if (of_reward && mdp->reward_models == 0) continue;
    celi_mdp_emit_storm(&out[i], mdp, i, of_reward ? mdp->reward_model : NULL);
    if (celi_out_finish(&out[i]) != CEL_OK) abort();
    put(&texts, &reward, i, out[i].text.data, out[i].text.size);
  }
  fuzz_compare(celi_mdp_parse_storm(&back, &texts, LOAD_DISCOUNT(0.9)), mdp, back);
  cel_mdp_destroy(back);
  for (int i = 0; i < 4; i++) celi_text_free(&out[i].text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  CeliPrismReward reward = {.name = "r"};
  CeliPrismTexts texts = {.reward = &reward};
  CelMdp *mdp = NULL;
  if (fuzz_is_large(data, size)) return 0;
  const char *at = (const char *)data, *end = at + size;
  for (int i = 0; i < 4; i++) {
    const char *next = i < 3 ? memmem(at, (size_t)(end - at), "\n====\n", 6) : NULL;
    const char *stop = next ? next + 1 : end;
    if (i == 0 || stop > at) put(&texts, &reward, i, at, (size_t)(stop - at));
    if (!next) break;
    at = next + 6;
  }
  if (!fuzz_read(celi_mdp_parse_storm(&mdp, &texts, LOAD_DISCOUNT(0.9)), mdp)) return 0;
  write_and_read(mdp);
  cel_mdp_destroy(mdp);
  return 0;
}
