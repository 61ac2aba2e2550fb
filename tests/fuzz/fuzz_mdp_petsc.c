/// Any bytes as PETSc matrices. The first byte is the length of a second file of costs. They are
/// refused with a message, or they give a valid problem that is equal after writing and reading.
#include "fuzz/fuzz_mdp.h"
#include "mdp/formats/petsc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  CelMdp *mdp = NULL, *back = NULL;
  if (size < 1 || size > 4096) return 0;
  const size_t costs = data[0] < size - 1 ? data[0] : size - 1, n = size - 1 - costs;
  const CeliPetscFile file = {"fuzz", data + 1, n};
  const CeliPetscFile beside = {"costs", costs ? data + 1 + n : NULL, costs};
  const char *reward = costs ? "cost" : "";
  if (!fuzz_read(celi_mdp_parse_petsc(&mdp, &file, &beside, FUZZ_REWARD(reward)), mdp)) return 0;
  CeliOut out = {.writer = NULL};
  if (celi_mdp_check_petsc(mdp) != CEL_OK) abort();
  celi_mdp_emit_petsc(&out, mdp);
  if (celi_out_finish(&out) != CEL_OK) abort();
  const CeliPetscFile again = {"back", out.text.data, out.text.size}, none = {.name = "none"};
  fuzz_compare(celi_mdp_parse_petsc(&back, &again, &none, FUZZ_REWARD("")), mdp, back);
  celi_text_free(&out.text);
  cel_mdp_destroy(mdp);
  cel_mdp_destroy(back);
  return 0;
}
