package dev.mcpscope.client;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.client.ClientFeatures.SamplingOption;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class ClientFeaturesTest {
  private static final ClientFeatures NONE = ClientFeatures.none();

  private static ClientFeatures roots(ClientFeatures features) {
    return features.withRoots(List::of);
  }

  private static ClientFeatures sampling(ClientFeatures features, SamplingOption... options) {
    return features.withSampling(_ -> null, options);
  }

  private static ClientFeatures form(ClientFeatures features) {
    return features.withElicitation(_ -> null);
  }

  private static ClientFeatures url(ClientFeatures features) {
    return features.withElicitationUrl(_ -> null);
  }

  static Stream<Arguments> declared() {
    return Stream.of(
        Arguments.of(NONE, "{}"),
        Arguments.of(NONE.withListener(_ -> {}), "{}"),
        Arguments.of(roots(NONE), "{'roots':{'listChanged':true}}"),
        Arguments.of(sampling(NONE), "{'sampling':{}}"),
        Arguments.of(sampling(NONE, SamplingOption.TOOLS), "{'sampling':{'tools':{}}}"),
        Arguments.of(sampling(NONE, SamplingOption.CONTEXT), "{'sampling':{'context':{}}}"),
        Arguments.of(
            sampling(NONE, SamplingOption.CONTEXT, SamplingOption.TOOLS),
            "{'sampling':{'tools':{},'context':{}}}"),
        Arguments.of(form(NONE), "{'elicitation':{'form':{}}}"),
        Arguments.of(url(NONE), "{'elicitation':{'url':{}}}"),
        Arguments.of(form(url(NONE)), "{'elicitation':{'form':{},'url':{}}}"),
        Arguments.of(
            url(form(sampling(roots(NONE)))),
            "{'roots':{'listChanged':true},'sampling':{},'elicitation':{'form':{},'url':{}}}"));
  }

  @ParameterizedTest
  @MethodSource("declared")
  void whatIsGivenIsDeclaredAndNothingElse(ClientFeatures features, String declared) {
    assertThat(features.capabilities()).isEqualTo(Json.object(declared));
  }

  @Test
  void anOptionWithoutSamplingDeclaresNothing() {
    var features =
        new ClientFeatures(
            Optional.empty(),
            Optional.empty(),
            Set.of(SamplingOption.TOOLS),
            Optional.empty(),
            Optional.empty(),
            Optional.empty());
    assertThat(features.capabilities()).isEqualTo(Json.object("{}"));
  }

  @Test
  void eachGiftKeepsTheOthers() {
    var heard = new ArrayList<ServerEvent>();
    ClientFeatures all =
        url(form(roots(sampling(NONE.withListener(heard::add), SamplingOption.TOOLS))));
    assertThat(all.roots()).isPresent();
    assertThat(all.sampling()).isPresent();
    assertThat(all.samplingOptions()).containsExactly(SamplingOption.TOOLS);
    assertThat(all.elicitation()).isPresent();
    assertThat(all.elicitationUrl()).isPresent();
    all.listener().orElseThrow().accept(new ServerEvent.Dropped(1));
    assertThat(heard).hasSize(1);
  }

  @Test
  void theOptionsOfSamplingAreCopied() {
    var options = new HashSet<>(Set.of(SamplingOption.TOOLS));
    var features =
        new ClientFeatures(
            Optional.empty(),
            Optional.of(_ -> null),
            options,
            Optional.empty(),
            Optional.empty(),
            Optional.empty());
    options.add(SamplingOption.CONTEXT);
    assertThat(features.samplingOptions()).containsExactly(SamplingOption.TOOLS);
  }
}
