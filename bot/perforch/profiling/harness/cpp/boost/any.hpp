// Stands in for boost::any where Boost is not installed: the part that the suite uses.
#ifndef PERFORCH_BOOST_ANY_HPP
#define PERFORCH_BOOST_ANY_HPP
#include <typeinfo>
#include <utility>

namespace boost {
class bad_any_cast : public std::bad_cast {};

class any {
    struct base {
        virtual ~base() {}
        virtual const std::type_info& type() const = 0;
        virtual base* clone() const = 0;
    };
    template <typename T> struct holder : base {
        T value;
        explicit holder(const T& v) : value(v) {}
        const std::type_info& type() const override { return typeid(T); }
        base* clone() const override { return new holder(value); }
    };
    base* content;

  public:
    any() : content(nullptr) {}
    template <typename T> any(const T& value) : content(new holder<T>(value)) {}
    any(const any& other) : content(other.content ? other.content->clone() : nullptr) {}
    ~any() { delete content; }
    any& operator=(any other) { std::swap(content, other.content); return *this; }
    bool empty() const { return content == nullptr; }
    const std::type_info& type() const { return content ? content->type() : typeid(void); }
    template <typename T> friend T* any_cast(any* from);
};

template <typename T> T* any_cast(any* from) {
    return from && from->type() == typeid(T) ? &static_cast<any::holder<T>*>(from->content)->value : nullptr;
}
template <typename T> T any_cast(const any& from) {
    T* value = any_cast<T>(const_cast<any*>(&from));
    if (!value) throw bad_any_cast();
    return *value;
}
}  // namespace boost
#endif
