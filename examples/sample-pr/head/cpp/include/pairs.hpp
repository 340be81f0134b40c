#pragma once

#include <cstddef>
#include <vector>

namespace stock {

// The number of index pairs i < j with values[i] + values[j] == sum.
std::size_t count_pairs(const std::vector<int>& values, int sum);

}  // namespace stock
