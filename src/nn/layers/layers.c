/// The kinds of layers. A new kind is a file in this folder and a row here.
#include "nn/layer.h"

const CeliLayerKind *const celi_layer_kinds[] = {&celi_dense, &celi_layer_norm, &celi_batch_norm,
                                                 &celi_activation, NULL};
