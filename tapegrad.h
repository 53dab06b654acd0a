// Everything public in one header: #include <tapegrad/tapegrad.h>. Each family's own header does for less.
#pragma once

#include "tapegrad/version.h"

#include "tapegrad/core/allocator.h"
#include "tapegrad/core/copy.h"
#include "tapegrad/core/launch.h"
#include "tapegrad/core/npy.h"
#include "tapegrad/core/parallel.h"
#include "tapegrad/core/print.h"
#include "tapegrad/core/random.h"
#include "tapegrad/core/tensor.h"

#include "tapegrad/autograd/apply.h"
#include "tapegrad/autograd/autograd.h"
#include "tapegrad/autograd/check/gradcheck.h"
#include "tapegrad/autograd/dump.h"
#include "tapegrad/autograd/function.h"

#include "tapegrad/ops/activation.h"
#include "tapegrad/ops/compare.h"
#include "tapegrad/ops/elementwise.h"
#include "tapegrad/ops/factory.h"
#include "tapegrad/ops/gather.h"
#include "tapegrad/ops/indexing.h"
#include "tapegrad/ops/inplace.h"
#include "tapegrad/ops/linalg.h"
#include "tapegrad/ops/losses.h"
#include "tapegrad/ops/pad.h"
#include "tapegrad/ops/rearrange.h"
#include "tapegrad/ops/reduce.h"
#include "tapegrad/ops/select.h"
#include "tapegrad/ops/shape.h"
#include "tapegrad/ops/views.h"

#include "tapegrad/nn/functional.h"
#include "tapegrad/nn/init.h"
#include "tapegrad/nn/layers.h"
#include "tapegrad/nn/losses.h"
#include "tapegrad/nn/progress.h"
#include "tapegrad/nn/sequential.h"

#include "tapegrad/nn/optim/adam.h"
#include "tapegrad/nn/optim/sgd.h"

#include "tapegrad/nn/data/idx.h"
#include "tapegrad/nn/data/loader.h"
#include "tapegrad/nn/data/mnist.h"
