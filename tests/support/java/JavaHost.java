import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.net.URI;
import java.net.URL;
import java.net.URLClassLoader;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A stand-in for Lambda's Java runtime: takes invocations from the runtime's interface and calls a method of an input and an output
 * stream. The code lies unpacked in the function's folder, with jars in lib. Methods of other arguments are not known here.
 */
public class JavaHost {
  public static void main(String[] arguments) throws Exception {
    String api = "http://" + System.getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/";
    String[] named = System.getenv("_HANDLER").split("::");
    ClassLoader loader = new URLClassLoader(places(Path.of(System.getenv("LAMBDA_TASK_ROOT"))).toArray(new URL[0]));
    Class<?> type = Class.forName(named[0], true, loader);
    Object handler = type.getDeclaredConstructor().newInstance();
    String name = named.length > 1 ? named[1] : "handleRequest";
    Method method = type.getMethod(name, InputStream.class, OutputStream.class);
    HttpClient http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    while (true) {
      HttpResponse<byte[]> next = http.send(to(api + "next").GET().build(), HttpResponse.BodyHandlers.ofByteArray());
      String id = next.headers().firstValue("Lambda-Runtime-Aws-Request-Id").orElseThrow();
      ByteArrayOutputStream answer = new ByteArrayOutputStream();
      String ended = "/response";
      try {
        method.invoke(handler, new ByteArrayInputStream(next.body()), answer);
      } catch (InvocationTargetException error) {
        ended = "/error";
        String what = String.valueOf(error.getCause().getMessage()).replaceAll("[\\\\\"\\p{Cntrl}]", " ");
        String told = "{\"errorType\":\"" + error.getCause().getClass().getName() + "\",\"errorMessage\":\"" + what + "\"}";
        answer = new ByteArrayOutputStream();
        answer.writeBytes(told.getBytes());
      }
      HttpRequest.BodyPublisher body = HttpRequest.BodyPublishers.ofByteArray(answer.toByteArray());
      http.send(to(api + id + ended).POST(body).build(), HttpResponse.BodyHandlers.discarding());
    }
  }

  private static HttpRequest.Builder to(String place) {
    return HttpRequest.newBuilder(URI.create(place));
  }

  private static List<URL> places(Path root) throws Exception {
    List<URL> found = new ArrayList<>(Arrays.asList(root.toUri().toURL()));
    if (Files.isDirectory(root.resolve("lib"))) {
      try (var jars = Files.newDirectoryStream(root.resolve("lib"), "*.jar")) {
        for (Path jar : jars) {
          found.add(jar.toUri().toURL());
        }
      }
    }
    return found;
  }
}
