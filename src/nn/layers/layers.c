/// The kinds of layers. A new kind is a file in this folder and a row here.
#include "nn/layer.h"

const CeliLayerKind *const celi_layer_kinds[] = {
    &celi_dense,        &celi_layer_norm, &celi_batch_norm,
    &celi_batch_renorm, &celi_rms_norm,   &celi_add,
    &celi_dropout,      &celi_activation, NULL};

int64_t celi_layer_same_width(const CeliLayer *layer, int64_t in) {
  (void)layer;
  return in;
}

void celi_layer_vector(const CeliNode *node, int k, int64_t *rows, int64_t *columns) {
  (void)k;
  *rows = 0;
  *columns = node->out;
}
