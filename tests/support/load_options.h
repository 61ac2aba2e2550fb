/// Options of cel_mdp_load_with for tests.
#ifndef TESTS_SUPPORT_LOAD_OPTIONS_H
#define TESTS_SUPPORT_LOAD_OPTIONS_H
#include "celsius/mdp.h"

/// Options with a discount, all else by default.
#define LOAD_DISCOUNT(d) (&(CelMdpLoadOptions){.discount = (d), .horizon = -1})

#endif
