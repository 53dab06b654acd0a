// Where OrderedDict was before core had a use for it.
#pragma once

#include "tapegrad/core/ordered_dict.h"
