/// Any archive as UMB. It is refused with a message, or it gives a valid problem that is equal
/// after writing and reading.
///
/// An input whose first byte is even is an archive, maybe compressed. Otherwise the rest is
/// index.json, a zero byte and data. The harness then makes an archive whose arrays have the sizes
/// that the index requires, so that a changed input still reaches the reader behind the checksums.
#include "fuzz/fuzz_mdp.h"
#include "mdp/formats/tar.h"
#include "mdp/formats/umb.h"
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { COUNT_MAX = 64 };

/// The number behind a key of the index, at most COUNT_MAX.
static size_t count_of(const char *index, const char *key) {
  const char *at = strstr(index, key);
  const size_t n = at ? (size_t)strtoull(at + strlen(key), NULL, 10) : 0;
  return n < COUNT_MAX ? n : COUNT_MAX;
}

static void put_file(CeliOut *out, const char *name, size_t bytes, const uint8_t **data,
                     size_t *left) {
  uint8_t block[CELI_TAR_BLOCK];
  celi_tar_header(block, name, bytes);
  celi_out_bytes(out, block, sizeof block);
  for (size_t i = 0; i < (bytes + CELI_TAR_BLOCK - 1) / CELI_TAR_BLOCK * CELI_TAR_BLOCK; i++) {
    const uint8_t byte = i<bytes && * left> 0 ? **data : 0;
    celi_out_bytes(out, &byte, 1);
    if (i<bytes && * left> 0) ++*data, --*left;
  }
}

static void make_archive(CeliOut *out, const uint8_t *data, size_t size) {
  const uint8_t *zero = memchr(data, 0, size);
  const size_t n = zero ? (size_t)(zero - data) : size;
  char *index = malloc(n + 1);
  if (!index) abort();
  memcpy(index, data, n);
  index[n] = 0;
  const size_t S = count_of(index, "\"#states\":"), P = count_of(index, "\"#choices\":");
  const size_t T = count_of(index, "\"#branches\":");
  const size_t value = strstr(index, "\"branch-probability-type\":{\"type\":\"rational\"") ? 16 : 8;
  const size_t reward = strstr(index, "\"r\":{\"type\":{\"type\":\"rational\"") ? 16 : 8;
  const struct {
    const char *name;
    size_t bytes;
  } files[] = {{"state-to-choices.bin", 8 * (S + 1)},
               {"choice-to-branches.bin", 8 * (P + 1)},
               {"branch-to-target.bin", 8 * T},
               {"branch-to-probability.bin", value * T},
               {"state-is-initial.bin", (S + 63) / 64 * 8},
               {"annotations/aps/a/states/values.bin", (S + 63) / 64 * 8},
               {"annotations/rewards/r/states/values.bin", reward * S},
               {"annotations/rewards/r/choices/values.bin", reward * P},
               {"annotations/rewards/r/branches/values.bin", reward * T},
               {"actions/choices/values.bin", 4 * P}};
  const uint8_t *at = data, *rest = zero ? zero + 1 : data;
  size_t of_index = n, left = zero ? size - n - 1 : 0;
  put_file(out, "index.json", n, &at, &of_index);
  for (size_t i = 0; i < sizeof files / sizeof *files; i++)
    put_file(out, files[i].name, files[i].bytes, &rest, &left);
  free(index);
}

static void write_and_read(const CelMdp *mdp) {
  CeliOut out = {.writer = NULL};
  CelMdp *back = NULL;
  const CelStatus status = celi_mdp_emit_umb(&out, mdp, CELI_PLAIN);
  if (status == CEL_E_UNSUPPORTED && cel_error()[0]) {
    celi_text_free(&out.text);
    return;
  }
  if (status != CEL_OK || celi_out_finish(&out) != CEL_OK) abort();
  fuzz_compare(celi_mdp_parse_umb(&back, "back", out.text.data, out.text.size, FUZZ_REWARD("none")),
               mdp, back);
  fuzz_compare_names(mdp, back);
  celi_text_free(&out.text);
  cel_mdp_destroy(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  CelMdp *mdp = NULL;
  CeliOut out = {.writer = NULL};
  if (size < 1 || size > 16384) return 0;
  if (data[0] % 2) make_archive(&out, data + 1, size - 1);
  const void *archive = data[0] % 2 ? (const void *)out.text.data : data + 1;
  const size_t bytes = data[0] % 2 ? out.text.size : size - 1;
  if (fuzz_read(celi_mdp_parse_umb(&mdp, "fuzz", archive, bytes, FUZZ_REWARD("none")), mdp))
    write_and_read(mdp);
  celi_text_free(&out.text);
  cel_mdp_destroy(mdp);
  return 0;
}
