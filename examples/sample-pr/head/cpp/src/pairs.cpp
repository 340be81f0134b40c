#include "pairs.hpp"

#include <unordered_map>

namespace stock {

std::size_t count_pairs(const std::vector<int>& values, int sum) {
    std::size_t pairs = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
        for (std::size_t j = i + 1; j < values.size(); ++j) {
            if (values[i] + values[j] == sum) {
                ++pairs;
            }
        }
    }
    return pairs;
}

}  // namespace stock
