#include "pairs.hpp"

#include <unordered_map>

namespace stock {

std::size_t count_pairs(const std::vector<int>& values, int sum) {
    std::unordered_map<int, std::size_t> seen;
    std::size_t pairs = 0;
    for (int value : values) {
        const auto partner = seen.find(sum - value);
        if (partner != seen.end()) {
            pairs += partner->second;
        }
        ++seen[value];
    }
    return pairs;
}

}  // namespace stock
