package perforch;

import java.lang.annotation.Annotation;
import java.lang.reflect.Array;
import java.lang.reflect.Constructor;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.BaseStream;

/** Arguments of parametrised and repeated tests of JUnit 5, by the simple names of their annotations. */
final class Parameters {
    /** Thrown for what only JUnit's own engine can run. */
    static final class Unsupported extends RuntimeException {
        private static final long serialVersionUID = 1L;

        Unsupported(String message) {
            super(message);
        }
    }

    private Parameters() {
    }

    /** One array of arguments for every invocation of the test. */
    static List<Object[]> rows(Class<?> type, Method method) throws Exception {
        List<Object[]> rows = new ArrayList<>();
        boolean sources = false;
        for (Annotation one : method.getAnnotations()) {
            String name = one.annotationType().getSimpleName();
            if (name.equals("RepeatedTest")) {
                sources = true;
                rows.addAll(Collections.nCopies((Integer) attribute(one, "value"), new Object[0]));
            } else if (name.equals("TestFactory") || name.equals("TestTemplate")) {
                throw new Unsupported("@" + name + " needs JUnit's own engine");
            } else if (name.endsWith("Source") || name.endsWith("Sources")) {
                sources = true;
                read(one, name, type, method, rows);
            }
        }
        if (!sources) {
            if (method.getParameterCount() > 0) {
                throw new Unsupported("parameters of " + method.getName() + " need JUnit's own engine");
            }
            rows.add(new Object[0]);
        }
        return rows;
    }

    private static void read(Annotation one, String name, Class<?> type, Method method, List<Object[]> rows)
            throws Exception {
        Class<?>[] wanted = method.getParameterTypes();
        switch (name) {
            case "ValueSource":
                for (Method attribute : one.annotationType().getDeclaredMethods()) {
                    Object values = attribute.invoke(one);
                    for (int i = 0; values.getClass().isArray() && i < Array.getLength(values); i++) {
                        rows.add(new Object[] {converted(Array.get(values, i), wanted[0])});
                    }
                }
                break;
            case "CsvSource":
                csv(one, wanted, rows);
                break;
            case "MethodSource":
                String[] names = (String[]) attribute(one, "value");
                for (String factory : names.length == 0 ? new String[] {""} : names) {
                    elements(made(type, factory.isEmpty() ? method.getName() : factory), rows);
                }
                break;
            case "EnumSource":
                Class<?> constants = (Class<?>) attribute(one, "value");
                List<String> only = Arrays.asList((String[]) attribute(one, "names"));
                if (!only.isEmpty() && !attribute(one, "mode").toString().equals("INCLUDE")) {
                    throw new Unsupported("this @EnumSource needs JUnit's own engine");
                }
                for (Object value : (constants.isEnum() ? constants : wanted[0]).getEnumConstants()) {
                    if (only.isEmpty() || only.contains(((Enum<?>) value).name())) {
                        rows.add(new Object[] {value});
                    }
                }
                break;
            case "NullSource":
                rows.add(new Object[] {null});
                break;
            case "EmptySource":
                rows.add(new Object[] {empty(wanted[0])});
                break;
            case "NullAndEmptySource":
                rows.add(new Object[] {null});
                rows.add(new Object[] {empty(wanted[0])});
                break;
            default:
                throw new Unsupported("@" + name + " needs JUnit's own engine");
        }
    }

    private static Object attribute(Annotation one, String name) throws Exception {
        return one.annotationType().getMethod(name).invoke(one);
    }

    private static void csv(Annotation one, Class<?>[] wanted, List<Object[]> rows) throws Exception {
        List<String> lines = new ArrayList<>(Arrays.asList((String[]) attribute(one, "value")));
        for (Method method : one.annotationType().getDeclaredMethods()) {
            if (method.getName().equals("textBlock")) {
                lines.addAll(Arrays.asList(((String) method.invoke(one)).split("\n")));
            } else if (!method.getName().equals("value") && !same(method.invoke(one), method.getDefaultValue())) {
                throw new Unsupported("this @CsvSource needs JUnit's own engine");
            }
        }
        for (String line : lines) {
            if (line.trim().isEmpty() || line.trim().startsWith("#")) {
                continue;
            }
            List<String> fields = fields(line);
            Object[] row = new Object[wanted.length];
            for (int i = 0; i < wanted.length; i++) {
                row[i] = i < fields.size() ? converted(fields.get(i), wanted[i]) : null;
            }
            rows.add(row);
        }
    }

    private static boolean same(Object one, Object other) {
        return one instanceof Object[] ? Arrays.equals((Object[]) one, (Object[]) other) : one.equals(other);
    }

    /** Fields between commas; a field in single quotes may hold commas, and is empty rather than null. */
    private static List<String> fields(String line) {
        List<String> found = new ArrayList<>();
        StringBuilder field = new StringBuilder();
        boolean quoted = false;
        boolean inside = false;
        for (int i = 0; i <= line.length(); i++) {
            char c = i < line.length() ? line.charAt(i) : ',';
            if (inside && i == line.length()) {
                throw new Unsupported("this @CsvSource needs JUnit's own engine");
            }
            if (c == '\'') {
                inside = !inside;
                quoted = true;
            } else if (c == ',' && !inside) {
                String text = quoted ? field.toString() : field.toString().trim();
                found.add(text.isEmpty() && !quoted ? null : text);
                field.setLength(0);
                quoted = false;
            } else if (inside || !quoted) {
                if (!(field.length() == 0 && c == ' ' && !inside)) {
                    field.append(c);
                }
            }
        }
        return found;
    }

    private static Object made(Class<?> type, String factory) throws Exception {
        int hash = factory.indexOf('#');
        Class<?> owner = hash < 0 ? type : Class.forName(factory.substring(0, hash));
        String name = factory.substring(hash + 1);
        for (Class<?> level = owner; level != null; level = level.getSuperclass()) {
            for (Method method : level.getDeclaredMethods()) {
                if (method.getName().equals(name) && method.getParameterCount() == 0) {
                    method.setAccessible(true);
                    return method.invoke(Modifier.isStatic(method.getModifiers()) ? null : Harness.instance(type));
                }
            }
        }
        throw new Unsupported("the factory method " + factory + " needs JUnit's own engine");
    }

    private static void elements(Object made, List<Object[]> rows) throws Exception {
        if (made instanceof BaseStream) {
            made = ((BaseStream<?, ?>) made).iterator();
        } else if (made instanceof Iterable) {
            made = ((Iterable<?>) made).iterator();
        }
        if (made instanceof Iterator) {
            for (Iterator<?> each = (Iterator<?>) made; each.hasNext();) {
                rows.add(row(each.next()));
            }
        } else if (made != null && made.getClass().isArray()) {
            for (int i = 0; i < Array.getLength(made); i++) {
                rows.add(row(Array.get(made, i)));
            }
        } else {
            throw new Unsupported("a factory method's result needs JUnit's own engine");
        }
    }

    private static Object[] row(Object element) throws Exception {
        if (element instanceof Object[]) {
            return (Object[]) element;
        }
        for (Class<?> level = element == null ? null : element.getClass(); level != null; level = level.getSuperclass()) {
            for (Class<?> each : level.getInterfaces()) {
                if (each.getName().equals("org.junit.jupiter.params.provider.Arguments")) {
                    return (Object[]) each.getMethod("get").invoke(element);
                }
            }
        }
        return new Object[] {element};
    }

    private static Object empty(Class<?> wanted) {
        if (wanted == String.class) {
            return "";
        }
        if (wanted.isArray()) {
            return Array.newInstance(wanted.getComponentType(), 0);
        }
        if (wanted.isAssignableFrom(List.class)) {
            return Collections.emptyList();
        }
        if (wanted == Set.class) {
            return Collections.emptySet();
        }
        if (wanted == Map.class) {
            return Collections.emptyMap();
        }
        throw new Unsupported("this @EmptySource needs JUnit's own engine");
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    private static Object converted(Object value, Class<?> wanted) throws Exception {
        if (!(value instanceof String) || wanted.isAssignableFrom(String.class)) {
            return value;
        }
        String text = (String) value;
        if (wanted == int.class || wanted == Integer.class) {
            return Integer.decode(text);
        }
        if (wanted == long.class || wanted == Long.class) {
            return Long.decode(text);
        }
        if (wanted == short.class || wanted == Short.class) {
            return Short.decode(text);
        }
        if (wanted == byte.class || wanted == Byte.class) {
            return Byte.decode(text);
        }
        if (wanted == double.class || wanted == Double.class) {
            return Double.valueOf(text);
        }
        if (wanted == float.class || wanted == Float.class) {
            return Float.valueOf(text);
        }
        if (wanted == boolean.class || wanted == Boolean.class) {
            return Boolean.valueOf(text);
        }
        if ((wanted == char.class || wanted == Character.class) && text.length() == 1) {
            return text.charAt(0);
        }
        if (wanted.isEnum()) {
            return Enum.valueOf((Class<? extends Enum>) wanted, text);
        }
        for (Constructor<?> constructor : wanted.getConstructors()) {
            if (Arrays.equals(constructor.getParameterTypes(), new Class<?>[] {String.class})) {
                return constructor.newInstance(text);
            }
        }
        for (Method method : wanted.getMethods()) {
            boolean takes = method.getParameterCount() == 1 && method.getParameterTypes()[0].isAssignableFrom(String.class);
            if (takes && Modifier.isStatic(method.getModifiers()) && method.getReturnType() == wanted) {
                return method.invoke(null, text);
            }
        }
        throw new Unsupported("the conversion to " + wanted.getSimpleName() + " needs JUnit's own engine");
    }
}
