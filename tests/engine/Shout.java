package com.acme;

import java.io.InputStream;
import java.io.OutputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;

/** Writes each object of a lot in capitals. It reads and writes by plain requests, which only an emulator takes. */
public class Shout {
  private static final Pattern URIS = Pattern.compile("s3://[^\"\\\\]+");
  private static final Pattern SINK = Pattern.compile("\"CLS_SINK_PATH\"\\s*:\\s*\"([^\"]+)\"");
  private static final Pattern SOURCES = Pattern.compile("\"CLS_SOURCE_MANIFESTS\"\\s*:\\s*\"((?:[^\"\\\\]|\\\\.)+)\"");
  private final HttpClient http = HttpClient.newHttpClient();

  public void handle(InputStream in, OutputStream out) throws Exception {
    String event = new String(in.readAllBytes());
    for (String manifest : uris(first(SOURCES, event))) {
      for (String uri : uris(send(at(manifest).GET()))) {
        String body = send(at(uri).GET());
        if (body.equals("poison")) {
          throw new IllegalStateException("this lot is poison");
        }
        String target = first(SINK, event) + uri.substring(uri.lastIndexOf('/') + 1);
        send(at(target).PUT(HttpRequest.BodyPublishers.ofString(body.toUpperCase() + System.getenv("MARK"))));
      }
    }
  }

  private static List<String> uris(String text) {
    return URIS.matcher(text).results().map(MatchResult::group).toList();
  }

  private static String first(Pattern pattern, String text) {
    return pattern.matcher(text).results().findFirst().orElseThrow().group(1);
  }

  private static HttpRequest.Builder at(String uri) {
    return HttpRequest.newBuilder(URI.create(System.getenv("AWS_ENDPOINT_URL") + "/" + uri.substring("s3://".length())));
  }

  private String send(HttpRequest.Builder request) throws Exception {
    HttpResponse<String> answer = http.send(request.build(), HttpResponse.BodyHandlers.ofString());
    if (answer.statusCode() >= 300) {
      throw new IllegalStateException(answer.statusCode() + " " + answer.body());
    }
    return answer.body();
  }
}
